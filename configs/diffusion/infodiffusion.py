"""InfoDiffusion. Wang, Schiff, Gokaslan, Pan, Wang, De Sa, Kuleshov, ICML 2023. arXiv:2306.08757, section 3.

Not held so far: few labels tell the digits from its code as they do from one whose codes as a whole are free.
"""

from jssl.configs import common


def get_config():
  c = common.diffusion()
  c.number = 31
  c.backbone = dict(name='coder', code=32, widths=(32, 64), kernel=(3, 2))
  c.heads.posterior = dict(name='linear')
  c.heads.denoiser.code = 32
  c.passes.code = dict(name='embed')
  c.passes.spread = dict(name='apply', network='posterior', on='code.pooled[0]')
  c.passes.drawn = dict(name='gaussian', mean='code.pooled[0]', log_variance='spread.out')
  c.passes.noised = dict(name='noise', on='code.x[0]', noise=dict(name='cosine_noise'))
  c.passes.told = dict(name='apply', network='denoiser', on=('noised.x', 'noised.time', 'drawn.z'))
  c.losses.denoise = dict(name='denoising_mse', of=('told.out', 'noised.noise'))
  c.losses.mmd = dict(name='mmd', of=('drawn.z', 'drawn.prior'), weight=0.1)
  c.losses.kl = dict(name='gaussian_kl', of=('code.pooled[0]', 'spread.out'), weight=0.0)
  c.claim = dict(
    metric='fewshot_top1_10shot', beats=('random_init', 'without_mmd'), margin=0.01, seeds=3,
    variants=dict(without_mmd=('losses.mmd.weight=0.0',)),
  )
  return c
