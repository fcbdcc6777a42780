"""Poly-View contrastive learning. Shidani, Hjelm, Ramapuram, Webb, Dhekane, Busbridge, ICLR 2024. arXiv:2403.05490."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=32, epochs=1, widths=(16, 32, 64, 64))
  c.number = 5
  c.data.train = 2000
  c.steps = common.at(scale)(small=160, tiny=8)  # of 256 views, however they are spread over examples
  c.view.views = 8
  c.heads.projector = dict(name='mlp', widths=(128, 64))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.views = dict(name='poly_view_statistics', of=('views.q',), temperature=0.2)
  c.claim = dict(
    metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02,
    also=(dict(metric='linear_top1', beats=('pairs',), margin=0.0),),
    variants=dict(
      pairs=(f'batch_size={4 * c.batch_size}', 'view.views=2'),
      geometric=('losses.views.name=poly_view_geometric', 'losses.views.temperature=0.2'),
    ),
  )  # fmt: skip
  return c
