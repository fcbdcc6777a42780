"""DINO. Caron, Touvron, Misra, Jegou, Mairal, Bojanowski, Joulin, ICCV 2021. arXiv:2104.14294, Eq. 1 to 4 and Algorithm 1."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, batch_size=128)
  c.optimizer.learning_rate.peak = 2e-3
  c.heads.projector = dict(name='dino_head', k=1024, hidden=256, bottleneck=64, norm='batch')
  c.teacher = dict(name='ema', decay=dict(name='rise', start=0.99), networks=('backbone', 'projector'))
  # At the paper's 0.04, views of digits start too alike for the teacher to be sharper than the student: both become uniform.
  c.passes.views = dict(name='embed', heads=('projector',))
  c.memories.centre = dict(name='centre', of='views.k', momentum=0.9)
  c.losses.distil = dict(
    name='dino', of=dict(q='views.q', k='views.k', centre='memory.centre'), pairs='all', teacher_temperature=0.02, temperature=0.1
  )
  c.represent = dict(from_teacher=True)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
