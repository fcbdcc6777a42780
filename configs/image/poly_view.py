"""Poly-View contrastive learning. Shidani, Hjelm, Ramapuram, Webb, Dhekane, Busbridge, ICLR 2024. arXiv:2403.05490."""

from jssl.configs import common


def get_config():
  c = common.image(data='mnist5k', batch_size=32, epochs=1)
  c.number = 5
  c.data.train = 2000
  c.steps = 160  # of 256 views, however they are spread over examples
  c.backbone.widths = (16, 32, 64, 64)
  c.view.views = 8
  c.heads.projector = dict(name='mlp', widths=(128, 64))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.views = dict(name='poly_view_statistics', of=('views.q',), temperature=0.2)
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02, seeds=3,
    also=(dict(metric='linear_top1', beats=('pairs',), margin=0.0),),
    variants=dict(
      pairs=('batch_size=128', 'view.views=2'),
      geometric=('losses.views.name=poly_view_geometric', 'losses.views.temperature=0.2'),
    ),
  )  # fmt: skip
  return c
