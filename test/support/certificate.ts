import { join } from 'node:path'
import { output } from './run.ts'

export interface Certificate {
  /** PEM files. */
  readonly key: string
  readonly certificate: string
}

/** A certificate for these names (`DNS:host`, `IP:address`), for which nobody vouches but itself. */
export async function makeCertificate(folder: string, names: readonly string[]): Promise<Certificate> {
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const subject = ['-subj', '/CN=jbfs test', '-addext', `subjectAltName=${names.join(',')}`]
  const files = ['-days', '2', '-keyout', key, '-out', certificate]
  await output('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...files, ...subject])
  return { key, certificate }
}
