"""UMD. Hansen-Estruch, Vishwanath, Zhang, Tomar, 2024. arXiv:2406.17688, section 3."""

from jssl.configs import common


def get_config():
  c = common.diffusion(epochs=40)
  c.number = 84
  c.backbone = dict(name='dit', width=48, depth=2, heads=4, patch=2, temperature=4.0)
  c.heads = dict(decoder=dict(name='dit_decoder', width=32, depth=1, heads=4))
  c.passes.clean = dict(name='masked_encode', mask=dict(name='random_mask', ratio=0.75))
  c.passes.noised = dict(name='noise', on='clean.x', noise=dict(name='cosine_noise'))
  c.passes.seen = dict(name='masked_encode', on='noised.x', time='noised.time', mask=dict(name='random_mask', ratio=0.375))
  c.passes.rebuilt = dict(name='apply', network='decoder', on=('clean.tokens', 'clean.restore', 'clean.time'))
  c.passes.denoised = dict(name='apply', network='decoder', on=('seen.tokens', 'seen.restore', 'seen.time'))
  c.passes.noise = dict(name='patches', on='noised.noise')
  c.losses.both = dict(
    name='umd', clean_weight=0.5,
    of=dict(clean='rebuilt.out', noised='denoised.out', x='clean.patches', noise='noise.out', clean_mask='clean.mask', noised_mask='seen.mask'),
  )  # fmt: skip
  c.claim = dict(
    metric='fewshot_top1_10shot', beats=('random_init', 'dit'), margin=0.02, seeds=3,
    also=(dict(metric='fewshot_top1_10shot', beats=('mae',), margin=-0.02),),
    variants=dict(
      dit=('losses.both.clean_weight=0.0', 'passes.seen.mask.ratio=0.0'),
      mae=('losses.both.clean_weight=1.0',),
    ),
  )
  return c
