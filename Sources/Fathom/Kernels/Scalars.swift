import CKernels

/// cos(π·x) by the library's own polynomial: the same bits everywhere.
package func cosPi(_ x: Double) -> Double {
    fathom_cos_pi(x)
}

/// x^n by squaring: the same bits everywhere. `n` is not negative.
func power(_ x: Double, _ n: Int) -> Double {
    fathom_power(x, UInt64(max(0, n)))
}
