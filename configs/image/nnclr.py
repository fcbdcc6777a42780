"""NNCLR. Dwibedi, Aytar, Tompson, Sermanet, Zisserman, ICCV 2021. arXiv:2104.14548, section 3.2 and Algorithm 1."""

from jssl.configs import common


def get_config():
  c = common.image()
  c.heads.projector = dict(name='mlp', widths=(256, 128), final_norm=True)
  c.heads.predictor = dict(name='mlp', on='projector', widths=(256, 128))
  c.terms.nce = dict(
    name='two_view',
    predictor='predictor',
    objective=dict(name='nnclr', temperature=0.1),
    memory=dict(name='queue', size=2048, keyword='support'),
  )
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, seeds=3)
  return c
