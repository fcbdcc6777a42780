"""UMD. Hansen-Estruch, Vishwanath, Zhang, Tomar, 2024. arXiv:2406.17688, section 3."""

from jssl.configs import common


def get_config():
  c = common.diffusion(epochs=40)
  c.number = 84
  c.backbone = dict(name='dit', width=48, depth=2, heads=4, patch=2, temperature=4.0)
  c.heads = dict(decoder=dict(name='dit_decoder', width=32, depth=1, heads=4))
  masks = dict(clean=dict(name='random_mask', ratio=0.75), noised=dict(name='random_mask', ratio=0.375))
  c.terms.both = dict(
    name='unified', noise=dict(name='cosine_noise'), masks=masks, objective=dict(name='umd', clean_weight=0.5)
  )
  c.claim = dict(
    metric='fewshot_top1_10shot', beats=('random_init', 'dit'), margin=0.02, seeds=3,
    also=(dict(metric='fewshot_top1_10shot', beats=('mae',), margin=-0.02),),
    variants=dict(
      dit=('terms.both.objective.clean_weight=0.0', 'terms.both.masks.noised.ratio=0.0'),
      mae=('terms.both.objective.clean_weight=1.0',),
    ),
  )
  return c
