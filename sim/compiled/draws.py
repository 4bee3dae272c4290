"""Random numbers in compiled code: the same function of (seed, stream, entity, visit) as `core.streams`."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from sim.compiled.jit import Bits, compiled

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_M1: Final = np.uint64(0xBF58476D1CE4E5B9)
_M2: Final = np.uint64(0x94D049BB133111EB)
_11: Final = np.uint64(11)
_27: Final = np.uint64(27)
_30: Final = np.uint64(30)
_31: Final = np.uint64(31)
_TO_UNIT: Final = 1.0 / (1 << 53)


@compiled
def mix(value: Bits) -> Bits:
    """`core.streams.mix`."""
    value = value + _GOLDEN
    value = (value ^ (value >> _30)) * _M1
    value = (value ^ (value >> _27)) * _M2
    return value ^ (value >> _31)


@compiled
def uniform(key: Bits, entity: Bits, visit: Bits) -> float:
    """`core.streams.Stream.uniform`; all three are unsigned 64-bit integers."""
    bits = mix(mix(key ^ entity) ^ visit)
    return (np.float64(bits >> _11) + 0.5) * _TO_UNIT


@compiled
def exponential(key: Bits, entity: Bits, visit: Bits) -> float:
    """`core.streams.Stream.exponential`."""
    return -math.log(uniform(key, entity, visit))


@compiled
def normal_quantile(p: float) -> float:
    """Quantile of the standard normal distribution: algorithm AS241 (Wichura 1988), as in Python's ``NormalDist``."""
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        num = (((((((2.5090809287301226727e3 * r + 3.3430575583588128105e4) * r + 6.7265770927008700853e4) * r
                  + 4.5921953931549871457e4) * r + 1.3731693765509461125e4) * r + 1.9715909503065514427e3) * r
                + 1.3314166789178437745e2) * r + 3.3871328727963666080e0) * q  # fmt: skip
        den = (((((((5.2264952788528545610e3 * r + 2.8729085735721942674e4) * r + 3.9307895800092710610e4) * r
                  + 2.1213794301586595867e4) * r + 5.3941960214247511077e3) * r + 6.8718700749205790830e2) * r
                + 4.2313330701600911252e1) * r + 1.0)  # fmt: skip
        return num / den
    r = p if q <= 0.0 else 1.0 - p
    r = math.sqrt(-math.log(r))
    if r <= 5.0:
        r = r - 1.6
        num = (((((((7.74545014278341407640e-4 * r + 2.27238449892691845833e-2) * r + 2.41780725177450611770e-1) * r
                  + 1.27045825245236838258e0) * r + 3.64784832476320460504e0) * r + 5.76949722146069140550e0) * r
                + 4.63033784615654529590e0) * r + 1.42343711074968357734e0)  # fmt: skip
        den = (((((((1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r + 1.51986665636164571966e-2) * r
                  + 1.48103976427480074590e-1) * r + 6.89767334985100004550e-1) * r + 1.67638483018380384940e0) * r
                + 2.05319162663775882187e0) * r + 1.0)  # fmt: skip
    else:
        r = r - 5.0
        num = (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 1.24266094738807843860e-3) * r
                  + 2.65321895265761230930e-2) * r + 2.96560571828504891230e-1) * r + 1.78482653991729133580e0) * r
                + 5.46378491116411436990e0) * r + 6.65790464350110377720e0)  # fmt: skip
        den = (((((((2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r + 1.84631831751005468180e-5) * r
                  + 7.86869131145613259100e-4) * r + 1.48753612908506148525e-2) * r + 1.36929880922735805310e-1) * r
                + 5.99832206555887937690e-1) * r + 1.0)  # fmt: skip
    x = num / den
    return -x if q < 0.0 else x


@compiled
def demand_factor(key: Bits, sigma: float, entity: Bits, visit: Bits) -> float:
    """`sim.model.draws.Draws.demand_factor`."""
    if sigma == 0.0:
        return 1.0
    return math.exp(sigma * normal_quantile(uniform(key, entity, visit)) - 0.5 * sigma * sigma)


@compiled
def wait_seconds(key: Bits, mu: float, sigma: float, entity: Bits, visit: Bits) -> float:
    """`sim.model.draws.Draws.wait_seconds`."""
    if sigma == 0.0:
        return math.exp(mu)
    return math.exp(mu + sigma * normal_quantile(uniform(key, entity, visit)))
