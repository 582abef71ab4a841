"""Reference values for em-summarize, computed by NumPy and SciPy. Writes scipy.json beside itself.

    python -m venv venv && venv/bin/pip install numpy scipy && venv/bin/python scipy_values.py
"""
import json
import pathlib

import numpy as np
import scipy
from scipy import stats

SEED = 20240611
rng = np.random.default_rng(SEED)
X = [3.1, 2.9, 3.3, 3.0, 5.2, 3.2, 3.1, 2.8, 3.4, 3.0]
METHODS = ["inverted_cdf", "averaged_inverted_cdf", "closest_observation",
           "interpolated_inverted_cdf", "hazen", "weibull", "linear", "median_unbiased",
           "normal_unbiased"]


def quantiles():
    samples = [X, [1.0, 2.0], rng.lognormal(size=11).tolist(), rng.normal(size=40).tolist(),
               rng.integers(0, 9, size=25).astype(float).tolist()]
    levels = [0.0, 0.01, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0]
    return [dict(values=s, levels=levels,
                 types=[[float(np.quantile(s, p, method=m)) for p in levels] for m in METHODS])
            for s in samples]


def student():
    dfs = [1, 2, 2.5, 5, 11, 29, 120.7, 1000, 1e6]
    probabilities = [0.001, 0.025, 0.2, 0.5, 0.8, 0.95, 0.975, 0.995, 0.99995]
    return [dict(df=d, p=p, t=float(stats.t.ppf(p, d)), sf=float(stats.t.sf(1.7, d)))
            for d in dfs for p in probabilities]


def intervals():
    out = []
    for n in (2, 5, 10, 33):
        values = rng.normal(10, 2, size=n).tolist()
        for confidence in (0.9, 0.95, 0.99):
            low, high = stats.t.interval(confidence, n - 1, loc=np.mean(values),
                                         scale=stats.sem(values))
            out.append(dict(values=values, confidence=confidence, low=float(low), high=float(high)))
    return out


def order_ranks():
    """Ranks from the binomial distribution function, by plain search."""
    out = []
    for n in (6, 40, 100, 368, 1000, 5000, 1000000):
        for p in (0.5, 0.9, 0.99, 0.999):
            a = 0.025
            low = int(stats.binom.ppf(a, n, p))          # smallest x with P(X <= x) >= a
            while low > 0 and stats.binom.cdf(low - 1, n, p) > a:
                low -= 1
            while stats.binom.cdf(low, n, p) <= a:
                low += 1
            high = int(stats.binom.isf(a, n, p)) + 1     # smallest u with P(X >= u) <= a
            while stats.binom.sf(high - 2, n, p) <= a:
                high -= 1
            while stats.binom.sf(high - 1, n, p) > a:
                high += 1
            two_sided = low >= 1 and high <= n
            out.append(dict(n=n, p=p, low=low if two_sided else None,
                            high=high if two_sided else None))
    return out


def sign_flips():
    out = []
    for n in (2, 5, 6, 8, 11, 14):
        d = rng.normal(0.4, 1, size=n).tolist()
        result = stats.permutation_test((np.array(d),), np.sum, permutation_type="samples",
                                        n_resamples=np.inf, alternative="two-sided")
        out.append(dict(differences=d, p=float(result.pvalue)))
    return out


def tost():
    out = []
    for n in (3, 6, 12):
        d = rng.normal(0.002, 0.01, size=n)
        for margin in (0.005, 0.01, 0.03):
            lower = stats.ttest_1samp(d, -margin, alternative="greater").pvalue
            upper = stats.ttest_1samp(d, margin, alternative="less").pvalue
            out.append(dict(differences=d.tolist(), margin=margin, p=float(max(lower, upper))))
    return out


def paired():
    out = []
    for n in (2, 6, 12):
        base = rng.lognormal(1, 0.2, size=n)
        trial = base * rng.lognormal(0.05, 0.05, size=n)
        d = np.log(trial) - np.log(base)
        low, high = stats.t.interval(0.95, n - 1, loc=d.mean(), scale=stats.sem(d))
        detectable = (stats.t.ppf(.975, n - 1) + stats.t.ppf(.8, n - 1)) * d.std(ddof=1) / n ** .5
        out.append(dict(baseline=base.tolist(), trial=trial.tolist(), ratio=float(np.exp(d.mean())),
                        low=float(np.exp(low)), high=float(np.exp(high)),
                        detectable=float(np.expm1(detectable))))
    return out


def holm():
    """False-discovery helpers of SciPy do not know Holm: its definition, on sorted values."""
    out = []
    for k in (2, 5, 9):
        p = rng.uniform(0, 0.2, size=k)
        order = np.argsort(p)
        stepped = np.minimum(np.maximum.accumulate(p[order] * (k - np.arange(k))), 1)
        adjusted = np.empty(k)
        adjusted[order] = stepped
        out.append(dict(p=p.tolist(), adjusted=adjusted.tolist()))
    return out


def mser5():
    """By the definition, with NumPy's variance, over every admissible cut."""
    out = []
    for n, start, decay in ((200, 0.0, 1.0), (300, 6.0, 20.0), (403, 3.0, 60.0), (100, 9.0, 80.0)):
        y = 10 + start * np.exp(-np.arange(n) / decay) + rng.normal(0, 0.5, size=n)
        batches = y[:n // 5 * 5].reshape(-1, 5).mean(axis=1)
        m = len(batches)
        cuts = [np.var(batches[d:]) / (m - d) for d in range(m // 2 + 1)]
        out.append(dict(values=y.tolist(), batches=int(np.argmin(cuts)), half=m // 2))
    return out


if __name__ == "__main__":
    out = dict(tool=f"numpy {np.__version__}, scipy {scipy.__version__}", seed=SEED,
               quantiles=quantiles(), student=student(), intervals=intervals(),
               order_ranks=order_ranks(), sign_flips=sign_flips(), tost=tost(), paired=paired(),
               holm=holm(), mser5=mser5())
    pathlib.Path(__file__).with_name("scipy.json").write_text(json.dumps(out) + "\n")
