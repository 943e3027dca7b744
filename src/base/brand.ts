/** A value of type `T` that only the parse function of its brand may make: `Ino` is no `Fh`, `ObjectKey` no path. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name }
