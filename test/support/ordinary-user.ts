/** Of nobody, on all systems of Linux. */
export const ordinaryUser = 65534

/** Before a command: has it run as an ordinary user where the tests are root's; one that may read this checkout, wherever it lies. */
export const asOrdinaryUser: readonly string[] =
  process.getuid?.() === 0
    ? [
        ...['setpriv', `--reuid=${ordinaryUser}`, `--regid=${ordinaryUser}`, '--clear-groups'],
        ...['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'],
      ]
    : []
