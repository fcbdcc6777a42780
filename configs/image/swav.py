"""SwAV. Caron, Misra, Mairal, Goyal, Bojanowski, Joulin, NeurIPS 2020. arXiv:2006.09882, Eq. 2 to 5 and Algorithm 1.

Deviates: epsilon 0.03 (paper 0.05): sharper codes, by which the official README keeps runs from the collapse that they begin in.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale)
  c.optimizer.learning_rate.peak = 4e-3
  # Normalised over the batch, embeddings start apart; without it they start alike, and codes that are uniform keep them so.
  c.heads.projector = dict(name='mlp', widths=(256, 64), final_norm=True)
  c.heads.prototypes = dict(name='prototypes', on='projector', k=100)
  c.passes.views = dict(name='embed', heads=('projector', 'prototypes'))
  c.losses.swap = dict(name='swav', of=('views.q', 'views.k'), pairs='all', epsilon=0.03)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
