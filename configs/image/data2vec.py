"""data2vec. Baevski, Hsu, Xu, Babu, Gu, Auli, ICML 2022. arXiv:2202.03555, section 3.

Not held so far: its features tell less than those of the untrained network.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image_masked(scale)
  c.parts = (
    'target: mean of the last blocks of the teacher on the whole image, each normalised over features: 2 of 2 (official code: 6 of 12)',
    'student reads the masked image and predicts the targets of masked patches alone, by one linear layer',
    'smooth L1 distance with beta 2',
    'blockwise mask of 60 %, blocks of at least 16 patches, masked patches replaced by a learned token',
    'teacher: moving average, decay rising linearly from 0.996 to 0.999 (official code for images: 0.9998)',
    'light affine moves (paper: crops, flips and colour); linear probe of the mean of the tokens',
    dict(part='targets normalised after the mean too; relative positions, layer scale, stochastic depth', out='open', why='none of them'),
    dict(part='fine-tuning with all labels, the protocol of the paper; speech and text by the same objective', out='open', why='not run'),
    dict(part='ImageNet; Librispeech, books and Wikipedia; GLUE', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ViT-B and ViT-L, 800 and 1,600 epochs', out='scale', why='2 blocks of 96, 8 epochs'),
  )
  c.optimizer.learning_rate.peak = 1e-3
  c.heads.predictor = dict(name='linear')
  c.teacher = dict(name='ema', decay=dict(name='linear', start=0.996, end=0.999), networks=('backbone',))
  c.passes.seen = dict(name='masked_encode', hide='replace', mask=dict(name='beit_block_mask', ratio=0.6))
  c.passes.told = dict(name='apply', network='predictor', on='seen.tokens')
  c.passes.whole_image = dict(name='encode', on='seen.x', teacher=True, last_layers=2)
  c.losses.predict = dict(name='smooth_l1', of=dict(q='told.out', k='whole_image.averaged', mask='seen.mask'), beta=2.0)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
