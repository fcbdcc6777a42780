"""Claims about systems, and their evaluation on results over seeds or over test items.

A claim is `c.claim` of a config, a dict of

    metric, beats, margin    the system's metric exceeds that of each row of `beats` by more than the margin; a negative margin is a
                             tolerance: not worse by more than that. `lower=True`: lower is better
    also                     further checks, dicts of these four
    variants                 row -> settings of the same config, 'x.y=v'
    without                  the variant without the paper's idea, at equal compute
    ceiling                  upper bounds, such as an oracle; they need not be beaten
    manipulation             a check of the quantity that the paper's idea acts on
    seeds                    number of seeds, at least 5, the default; 'items' to resample test items of a deterministic system

Rows are the system, its variants, and `raw_input`, `random_init` and, if it starts from trained networks, `start`, as far as these can be
evaluated. Systems with a custom loop have the rows of that loop.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jssl.errors import ConfigError
from jssl.evaluators.figures import Items
from jssl.options import closest

AUTOMATIC = ('raw_input', 'random_init', 'start')
KEYS = ('metric', 'beats', 'margin', 'lower', 'also', 'variants', 'without', 'ceiling', 'manipulation', 'seeds')
OF_A_CHECK = ('metric', 'beats', 'margin', 'lower')
STATES = ('contradicted', 'not_held', 'undecided', 'held')  # the state of a claim is that of its worst comparison
SEEDS, DRAWS = 5, 2000
LEVEL = 0.95


class Check(NamedTuple):
  """One statement of a claim."""

  metric: str
  beats: tuple[str, ...]
  margin: float
  lower: bool = False  # lower is better


class Comparison(NamedTuple):
  """The difference of the metrics of the system and of another row, with sign reversed if lower is better, with one-sided 95 % bounds."""

  metric: str
  other: str
  margin: float
  lower: bool
  mean: float
  low: float
  high: float
  state: str
  differences: list[float]  # by seed; empty if items were resampled


class Verdict(NamedTuple):
  """The outcome of a claim."""

  state: str
  comparisons: list[Comparison]
  manipulation: list[Comparison]
  automatic: list[Comparison]  # with raw input and the untrained network, if the claim does not include them
  flags: list[str]  # remarks for readers of the state


def checks(claim: Mapping[str, Any]) -> list[Check]:
  """The checks of a claim: its own, and those in `also`."""
  return [_check(c) for c in (claim, *claim.get('also', ()))]


def manipulation(claim: Mapping[str, Any]) -> list[Check]:
  """The check of the quantity that the idea acts on, if there is one."""
  return [_check(claim['manipulation'])] if claim.get('manipulation') else []


def _check(c: Mapping[str, Any]) -> Check:
  return Check(c['metric'], tuple(c['beats']), float(c['margin']), bool(c.get('lower', False)))


def seeds(claim: Mapping[str, Any]) -> int:
  """The number of seeds of a claim; 1 if test items are resampled."""
  return 1 if claim.get('seeds') == 'items' else claim.get('seeds', SEEDS)


def settings(claim: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
  """Variant -> its config settings."""
  return {name: tuple(of) for name, of in claim.get('variants', {}).items()}


def validate(name: str, claim: Mapping[str, Any], loop: bool) -> None:
  """Checks that a claim can be evaluated.

  Args:
    name: name of the system.
    claim: the claim in its config.
    loop: whether it has a custom loop, whose rows are only known after a run.

  Raises:
    ConfigError: if it cannot.
  """
  wrong = None
  if unknown := [key for key in claim if key not in KEYS]:
    wrong = f'it has no key {unknown[0]!r}{closest(unknown[0], KEYS)}'
  elif lacking := [key for c in _dicts(claim) for key in ('metric', 'beats', 'margin') if key not in c]:
    wrong = f'a check lacks {lacking[0]!r}; give metric, beats and margin'
  elif alien := [key for c in [*_dicts(claim)][1:] for key in c if key not in OF_A_CHECK]:
    wrong = f'a check has no key {alien[0]!r}{closest(alien[0], OF_A_CHECK)}'
  elif claim.get('seeds') != 'items' and not (isinstance(seeds(claim), int) and seeds(claim) >= SEEDS):
    wrong = f"seeds is {claim['seeds']!r}; give {SEEDS} or more, or 'items' where nothing is drawn"
  elif taken := [row for row in settings(claim) if row in (name, *AUTOMATIC)]:
    wrong = f'a variant is called {taken[0]!r}, which is the name of another row; rename it'
  elif not loop:
    known = (*AUTOMATIC, *settings(claim))
    named = [row for check in (*checks(claim), *manipulation(claim)) for row in check.beats]
    named += [*claim.get('ceiling', ()), *([claim['without']] if claim.get('without') else [])]
    if strange := [row for row in named if row not in known]:
      wrong = f'it names {strange[0]!r}, which is neither raw_input, random_init, start nor one of its variants'
  if wrong:
    raise ConfigError(f'the claim of {name}: {wrong}')


def _dicts(claim: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
  return (claim, *claim.get('also', ()), *([claim['manipulation']] if claim.get('manipulation') else ()))


def bounds(differences: Sequence[float]) -> tuple[float, float]:
  """One-sided 95 % bounds of the mean of paired differences, lower and upper, by Student's t."""
  from scipy.stats import t

  x = np.asarray(differences, np.float64)
  half = t.ppf(LEVEL, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
  return float(x.mean() - half), float(x.mean() + half)


def resampled(mine: Items, other: Items, sign: int = 1, draws: int = DRAWS) -> tuple[float, float]:
  """One-sided 95 % bounds of the difference of two metrics on the same test items, by the percentile bootstrap.

  Reference: Efron, Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
  """
  n = len(mine.columns[0])
  if mine.statistic != other.statistic or len(other.columns[0]) != n:
    raise ValueError(f'{mine.statistic} of {n} items cannot be paired with {other.statistic} of {len(other.columns[0])}; use the same items')
  random = np.random.RandomState(0)
  rows = (random.randint(n, size=n) for _ in range(draws))
  found = [sign * (mine.figure(r) - other.figure(r)) for r in rows]
  low, high = np.quantile(found, [1 - LEVEL, LEVEL])
  return float(low), float(high)


def state(low: float, high: float, margin: float) -> str:
  """The state for given bounds and margin: held if low > margin, contradicted if high < 0, not held if high < margin.

  A negative margin is a tolerance: held if low > margin, contradicted if high < margin. All other cases are undecided.
  """
  if low > margin:
    return 'held'
  if high < min(margin, 0.0):
    return 'contradicted'
  return 'not_held' if high < margin else 'undecided'


def compare(check: Check, name: str, rows: Mapping[str, Any], items: Mapping[str, Mapping[str, Items]], over_items: bool) -> list[Comparison]:
  """Compares a system with each row of a check.

  Args:
    check: has the rows to beat.
    name: name of the system's row.
    rows: row -> metric -> values by seed.
    items: row -> metric -> test items, if these are resampled.
    over_items: resample items instead of seeds.
  """
  found, sign = [], -1 if check.lower else 1
  for other in check.beats:
    differences = [sign * (a - b) for a, b in zip(rows[name][check.metric], rows[other][check.metric], strict=True)]
    if over_items:
      low, high = resampled(items[name][check.metric], items[other][check.metric], sign)
    else:
      low, high = bounds(differences)
    stated = state(low, high, check.margin)
    shown = [] if over_items else differences
    found.append(Comparison(check.metric, other, check.margin, check.lower, float(np.mean(differences)), low, high, stated, shown))
  return found


def judge(name: str, claim: Mapping[str, Any], rows: Mapping[str, Any], items: Mapping[str, Mapping[str, Items]]) -> Verdict:
  """Evaluates a claim.

  Args:
    name: name of the system's row.
    claim: the claim.
    rows: row -> metric -> values by seed.
    items: row -> metric -> test items, for a claim over items.
  """
  over_items = claim.get('seeds') == 'items'
  against = lambda check: compare(check, name, rows, items, over_items)
  said = checks(claim)
  comparisons = [c for check in said for c in against(check)]
  acts = [c for check in manipulation(claim) for c in against(check)]
  named = {(check.metric, row) for check in said for row in check.beats}
  missing = lambda check: tuple(row for row in AUTOMATIC if (check.metric, row) not in named and check.metric in rows.get(row, {}))
  each = {check.metric: check for check in said}.values()
  automatic = [c for check in each for c in against(check._replace(beats=missing(check), margin=0.0))]
  flags = [
    f'{c.other} is better in {c.metric} by {-c.mean:.3g}'
    for c in (*comparisons, *automatic) if c.mean < 0
  ]  # fmt: skip
  flags += [
    f'the idea is not shown to move its own quantity by {c.margin:g}: {c.metric} against {c.other}: {c.state.replace("_", " ")}'
    for c in acts
    if c.state != 'held'
  ]
  if not claim.get('without'):
    flags.append('no row without the idea')
  for row in claim.get('ceiling', ()):
    rivals = {check.metric: [float(np.mean(rows[other][check.metric])) for other in check.beats if other != row] for check in said}
    for check in said:
      if rivals[check.metric] and check.metric in rows.get(row, {}):
        sign = -1 if check.lower else 1
        room = sign * float(np.mean(rows[row][check.metric])) - max(sign * x for x in rivals[check.metric])
        flags += [f'{row} leaves {room:.3g} of head room in {check.metric}'] if room <= max(check.margin, 0.0) else []
  worst = min((c.state for c in comparisons), key=STATES.index)
  return Verdict(worst, comparisons, acts, automatic, list(dict.fromkeys(flags)))


def text(claim: Any) -> str:
  """A claim in words."""
  if not claim:
    return ''
  over = 'over test items' if claim.get('seeds') == 'items' else f'over {seeds(claim)} seeds'
  return '; '.join(map(check_text, checks(claim))) + f' {over}'


def check_text(check: Check) -> str:
  """A check in words."""
  others = ' and '.join(name.replace('_', ' ') for name in check.beats)
  if check.margin < 0:
    return f'{check.metric} not {"above" if check.lower else "below"} {others} by {-check.margin:g}'
  return f'{check.metric} {"below" if check.lower else "above"} {others} by {check.margin:g}'
