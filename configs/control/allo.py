"""ALLO. Gomez, Bowling, Machado, ICLR 2024. arXiv:2310.10833, section 3 and Algorithm 1."""

from jssl.configs import common


def get_config():
  c = common.rooms(batch_size=256, steps=1500, goal=False, episodes=512, length=64)
  c.number = 17
  c.heads.head = dict(name='linear', dim=7)
  c.terms.slow = dict(name='slow', objective=dict(name='allo'), memory=dict(name='duals'))
  c.evaluators = dict(laplacian=dict(name='laplacian'))
  drawing = lambda **o: f'terms.slow={dict(name="slow", objective=dict(name="graph_drawing", **o))}'
  c.claim = dict(
    metric='laplacian_cosine', beats=('generalized', 'plain', 'random_init'), margin=0.2, seeds=3,
    variants=dict(generalized=(drawing(),), plain=(drawing(equal=True),)),
  )
  return c
