"""SciNCL. Ostendorff, Rethmeier, Augenstein, Gipp, Rehm, EMNLP 2022. arXiv:2202.06671, Eq. 1 and section 3."""

from jssl.configs.documents import specter

from jssl.configs import common


def get_config(scale='small'):
  c = specter.get_config(scale)
  c.number, c.steps = 52, common.at(scale)(small=300, tiny=8)
  c.data = dict(name='citation_neighbours', positives=(25, 5), hard=(400, 2), easy=3)
  c.backbone = common.transformer(scale, 'bert', width=48, depth=1, heads=4, pool='mean', std=0.1)
  c.optimizer.learning_rate.peak = 3e-3
  c.claim = dict(
    metric='retrieval_map', beats=('raw_input', 'random_init'), margin=0.01,
    also=(dict(metric='retrieval_map', beats=('citations',), margin=0.0),),
    variants=dict(citations=('data.name=citations',)),
  )  # fmt: skip
  return c
