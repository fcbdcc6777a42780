"""SciNCL. Ostendorff, Rethmeier, Augenstein, Gipp, Rehm, EMNLP 2022. arXiv:2202.06671, Eq. 1 and section 3."""

from jssl.configs.documents import specter


def get_config():
  c = specter.get_config()
  c.number = 52
  c.data = dict(name='citation_neighbours', positives=(25, 5), hard=(400, 2), easy=3)
  c.claim = dict(
    metric='retrieval_map', beats=('raw_input', 'random_init', 'citations', 'random_negatives'), margin=0.01, seeds=3,
    variants=dict(citations=('data.name=citations',), random_negatives=('data.name=citations', 'data.hard=0', 'data.easy=5')),
  )  # fmt: skip
  return c
