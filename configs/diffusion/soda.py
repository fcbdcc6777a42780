"""SODA. Hudson, Zoran, Malinowski, Lampinen, Jaegle, McClelland, Matthey, Hill, Lerchner, CVPR 2024. arXiv:2311.17901, section 3.

Five hundred images, as a probe with the labels of more is near the top whatever the code. No code is published: the schedule, and the rate of
the encoder, are those of the independent implementation github.com/FutureXiang/soda, which cites the paper for the schedule.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.diffusion(scale, epochs=140)
  c.number = 70
  c.parts = (
    'encoder of a source view, denoiser of the target view; squared error of the noise',
    '1,000 levels of the inverted cosine schedule, most of which are of medium noise; the cosine schedule as a row',
    'modulation: group normalisation scaled and shifted by time, then by the code, in every block',
    'code in 2 sections, each for the maps of one resolution; a section is zeroed with 0.1 in training',
    'source by affine changes, target as it is (paper: crops, colour and RandAugment of the source)',
    'learning rate of the encoder twice that of the denoiser',
    'linear probe of the code; the source as its own target as the rival, a diffusion autoencoder',
    dict(part='novel views: poses beside encoder and denoiser', out='open', why='one camera'),
    dict(part='guided samples, reconstruction, latent directions and disentanglement', out='open', why='nothing is sampled'),
    dict(part='moving average of the weights, 0.9999', out='scale', why='1,100 steps'),
    dict(part='ImageNet, CelebA-HQ, LSUN; NMR, GSO and ShapeNet', out='data', why='no package ships them; 500 digits'),
    dict(part='ResNet-50 with twice the width, code of 2,048', out='scale', why='a convnet, code of 64'),
  )
  c.data.train = 500
  affine = dict(degrees=15, translate=0.12, scale=(0.75, 1.2), shear=15)
  c.view = dict(name='augment', mean=0.5, std=0.5, views=(dict(affine=affine), {}))
  c.heads.denoiser.update(sections=2, drop=0.1)
  c.optimizer.parts = (dict(of=('backbone',), rate=2.0),)
  c.passes.code = dict(name='embed')
  c.passes.noised = dict(name='noise', on='code.x[1]', noise=dict(name='inverted_noise'))
  c.passes.told = dict(name='apply', network='denoiser', on=('noised.x', 'noised.time', 'code.pooled[0]'))
  c.losses.denoise = dict(name='denoising_mse', of=('told.out', 'noised.noise'))
  c.claim = dict(
    metric='linear_top1',
    beats=('raw_input', 'random_init', 'same_view'),
    margin=0.02,
    # The source is the target, not another view of it: a diffusion autoencoder.
    variants=dict(same_view=('view.views=({}, {})',), cosine=('passes.noised.noise.name=cosine_noise',)),
    without='same_view',
  )
  return c
