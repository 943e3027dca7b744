import test from 'ava'
import type { StoreErrorCode } from '../../src/store/errors.ts'
import { s3Error } from '../../src/store/s3-errors.ts'

const place = { store: 's3://bucket', server: 'host' }

test('only a certificate that nobody vouches for is an affair of --ca-file', (t) => {
  const cases: readonly [string, StoreErrorCode, RegExp][] = [
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls', /DEPTH_ZERO_SELF_SIGNED_CERT.*--ca-file/],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'tls', /--ca-file/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls', /--ca-file/],
    ['CERT_UNTRUSTED', 'tls', /--ca-file/],
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
    if (!String(message).includes('--ca-file')) t.notRegex(error.message, /--ca-file/)
  }
})
