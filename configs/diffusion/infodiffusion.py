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
  c.terms.denoise = dict(name='variational', noise=dict(name='cosine_noise'), objective=dict(name='denoising_mse'), mmd_weight=0.1)
  c.claim = dict(
    metric='fewshot_top1_10shot', beats=('random_init', 'without_mmd'), margin=0.01, seeds=3,
    variants=dict(without_mmd=('terms.denoise.mmd_weight=0.0',)),
  )
  return c
