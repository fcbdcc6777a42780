"""InfoDiffusion. Wang, Schiff, Gokaslan, Pan, Wang, De Sa, Kuleshov, ICML 2023. arXiv:2306.08757, section 3.

Built, as in the official code: without KL (weight 0, the default there) the denoiser is told the code itself and MMD is that of
codes; the variant `with_kl` tells it a draw from N(mean, variance), two linear maps of the code, and MMD is that of means. KL is
summed over the batch, so that its weight depends on the size of the batch.
Left out: the reconstruction term, which with 1000 levels of these betas is about 1e-8 times the squared output of the denoiser;
priors that are no Gaussian; a capacity that KL is held at; sampling in two phases.
Not held so far: few labels tell the digits from its code as they do from one whose codes as a whole are free.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.diffusion(scale)
  c.number = 31
  c.parts = (
    'denoiser conditioned on the code by scale and shift in every block; error of the noise, 1,000 linear levels from 1e-5 to 1e-2',
    'maximum mean discrepancy of codes and a standard normal prior, kernel of the official code, weight 0.1',
    'code of 32 numbers, given to the denoiser without noise where the divergence has weight 0, the default of the official code',
    'Gaussian posterior with divergence summed over the batch, weight 1e-3, as a variant',
    'linear and few-shot probes of the code; no discrepancy as the rival, a diffusion autoencoder',
    dict(part='reconstruction term of the first level; capacity that the divergence is held at', out='open', why='the term is about 1e-8 here'),
    dict(part='priors of a Gaussian mixture and of a Swiss roll', out='open', why='the normal prior alone'),
    dict(part='disentanglement, interpolation; samples (two phases, latent diffusion) and FID', out='open', why='the code is probed alone'),
    dict(part='variational autoencoders as rivals', out='open', why='not implemented'),
    dict(part='CelebA, FFHQ, CIFAR-10, FashionMNIST and 3DShapes', out='data', why='no package ships them; digits'),
    dict(part='residual encoder, U-Net from 64 channels, both with attention, 50 epochs', out='scale', why='convnet, U-Net from 16, 10 epochs'),
  )
  c.backbone = dict(name='coder', code=32, widths=(32, 64), kernel=(3, 2))
  c.heads.mean, c.heads.posterior = dict(name='linear'), dict(name='linear')
  c.heads.denoiser.code = 32
  c.passes.code = dict(name='embed')
  c.passes.mean = dict(name='apply', network='mean', on='code.pooled[0]')
  c.passes.spread = dict(name='apply', network='posterior', on='code.pooled[0]')
  c.passes.drawn = dict(name='gaussian', mean='mean.out', log_variance='spread.out')
  c.passes.noised = dict(name='noise', on='code.x[0]', noise=dict(name='linear_noise', start=1e-5, end=1e-2))
  c.passes.told = dict(name='apply', network='denoiser', on=('noised.x', 'noised.time', 'code.pooled[0]'))
  c.losses.denoise = dict(name='denoising_mse', of=('told.out', 'noised.noise'))
  c.losses.mmd = dict(name='mmd', of=('code.pooled[0]', 'drawn.prior'), weight=0.1)
  c.losses.kl = dict(name='gaussian_kl', of=('mean.out', 'spread.out'), summed=True, weight=0.0)
  c.claim = dict(
    metric='fewshot_top1_10shot',
    beats=('raw_input', 'random_init', 'without_mmd'),
    margin=0.01,
    variants=dict(
      without_mmd=('losses.mmd.weight=0.0',),
      with_kl=(
        "passes.told.on=('noised.x', 'noised.time', 'drawn.z')",
        "losses.mmd.of=('mean.out', 'drawn.prior')",
        'losses.kl.weight=1e-3',
      ),
    ),
  )
  return c
