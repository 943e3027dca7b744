import test from 'ava'
import type { StoreErrorCode } from '../../src/store/errors.ts'
import { s3Error } from '../../src/store/s3-errors.ts'

const place = { store: 's3://bucket', server: 'host' }

test('only a certificate that nobody vouches for is a matter of whom to trust', (t) => {
  const cases: readonly [string, StoreErrorCode, RegExp][] = [
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls', /not trusted.*DEPTH_ZERO_SELF_SIGNED_CERT/],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'tls', /not trusted/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls', /not trusted/],
    ['CERT_UNTRUSTED', 'tls', /not trusted/],
    ['CERT_HAS_EXPIRED', 'tls', /expired/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls', /another host name/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls', /does not speak TLS/],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'tls', /no TLS.*ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION/],
    ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'tls', /no TLS/],
    ['ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', 'unavailable', /host failed .*BAD_RECORD_MAC/],
    ['ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC', 'unavailable', /failed/],
  ]
  for (const [code, expected, message] of cases) {
    const error = s3Error(Object.assign(new Error(code), { code }), place, 'key')
    t.is(error.code, expected, code)
    t.regex(error.message, message)
    t.is(error.fault, String(message).includes('trusted') ? 'untrusted' : undefined)
  }
})

test('what to do is said by whoever opened the store', (t) => {
  const refusal = Object.assign(new Error('no'), { name: 'InvalidAccessKeyId' })
  t.is(s3Error(refusal, place, 'key').message, 's3://bucket: key: it does not know the access key')
  const advised = s3Error(refusal, { ...place, advise: ({ fault }) => `: about ${fault}` }, 'key')
  t.is(advised.message, 's3://bucket: key: it does not know the access key: about unknown-key')
  t.is(advised.fault, 'unknown-key')
  t.is(advised.cause, refusal)
})
