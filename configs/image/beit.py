"""BEiT. Bao, Dong, Piao, Wei, ICLR 2022. arXiv:2106.08254, section 2.

The scale `imagenet` is BEiT-B of 800 epochs on ImageNet-1k, by the official README ("Pre-training BEiT-base on ImageNet-1k") and its
fine-tuning (get_started_for_image_classification.md); the hours are those of pre-training, five
days for 500,000 steps (section 2.5, quoted from memory).
Deviates: the tokenizer of DALL-E, trained on 250 million images, is not shipped; one of its kind is trained in a first phase, on the same
images at 224 pixels (paper: it reads 112), and its decoder reads each token by itself. Learned positions, as in section 2.2 (official code: a
relative position bias shared by the blocks).
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(metric='finetune_top1', value=0.832, source='arXiv:2106.08254, abstract of version 1', hardware='16 V100 GPUs', hours=120),
)


def get_config(scale='small'):
  c = published() if scale == 'imagenet' else digits(scale)
  c.parts = (
    'tokenizer: a discrete VAE of 64 tokens (paper: 8,192), a convnet on the whole image, a token a patch, trained first and then frozen',
    'relaxed by Gumbel-softmax, temperature 0.9; pixels rebuilt by a perceptron; KL from the uniform distribution, weight 0.01',
    'blocks of patches masked one by one until 0.4 are hidden, at least 4 of 49 patches each (paper: 16 of 196)',
    'masked patches replaced by a learned token before the encoder, which reads all patches',
    'linear head on the tokens, cross-entropy of the visual tokens of masked patches alone',
    'learned positions',
    'light affine moves (paper: crops, flips, colour); linear probe of the mean of the tokens',
    'relative position bias of the official code, colour, layer scale, fine-tuning with all labels: but for the first, at the scale imagenet',
    dict(part='tokenizer of DALL-E, trained on 250 million images', out='data', why='no package ships it'),
    dict(part='rows of masking at random, of all tokens, of shorter training; attention maps', out='open', why='pixels as targets alone'),
    dict(part='intermediate fine-tuning; segmentation on ADE20K', out='open', why='the linear probe, and fine-tuning at imagenet'),
    dict(part='ImageNet-1k and 22k', out='data', why='no package ships them; digits'),
    dict(part='ViT-B and ViT-L, 800 epochs', out='scale', why='2 blocks of 96'),
  )
  c.passes.told = dict(name='encode', on='seen.x', network='tokenizer')
  c.passes.scores = dict(name='apply', network='codes', on='told.tokens')
  c.passes.drawn = dict(name='gumbel', logits='scores.out')
  c.passes.rebuilt = dict(name='apply', network='decoder', on='drawn.out')
  c.passes.predicted = dict(name='apply', network='predict', on='seen.tokens')
  c.losses.rebuild = dict(name='latent_l2', of=('rebuilt.out', 'seen.patches'))
  c.losses.prior = dict(name='categorical_kl', of=('scores.out',), weight=0.01)
  c.losses.tokens = dict(name='token_cross_entropy', of=('predicted.out', 'drawn.codes', 'seen.mask'))
  c.phases = (
    dict(steps=common.at(scale)(small='25%', imagenet='5 epochs'), losses=('rebuild', 'prior'), train=('tokenizer', 'codes', 'decoder')),
    dict(losses=('tokens',), train=('backbone', 'predict')),
  )
  pixels = 'losses.tokens={"name": "latent_l2", "of": {"q": "predicted.out", "k": "seen.patches", "mask": "seen.mask"}}'
  c.claim = dict(
    metric='linear_top1', beats=('random_init', 'pixels'), margin=0.02, without='pixels',
    variants=dict(pixels=(pixels, 'heads.predict.dim=16')),
  )  # fmt: skip
  return c


def digits(scale: str):
  c = common.image_masked(scale, batch_size=64, epochs=12)
  c.data.train = common.at(scale)(small=2000, tiny=None)
  c.backbone.positions = 'learned'
  c.heads.tokenizer = dict(name='convnet', on='data.image', widths=common.at(scale)(small=(32, 64), tiny=(8, 16)), kernel=(4, 3))
  c.heads.codes = dict(name='linear', on='tokenizer', dim=64)
  c.heads.decoder = dict(name='mlp', on='codes', widths=(64, 16), norm='none')
  c.heads.predict = dict(name='linear', dim=64)
  c.passes.seen = dict(name='masked_encode', hide='replace', mask=dict(name='beit_block_mask', ratio=0.4, least=4))
  c.evaluators = dict(linear=dict(name='logistic'))
  return c


def published():
  c = common.imagenet_masked(batch_size=2048, epochs=805)
  c.data.crop.scale = (0.08, 1.0)
  c.view.jitter = dict(brightness=0.4, contrast=0.4, saturation=0.4, p=1.0)
  vit = dict(positions='learned', mask_token=True, std=0.02, rescale=True, drop_path=0.1, layer_scale=0.1, key_bias=False)
  c.backbone = dict(name='vit_base', patch=16, class_token=True, pool='mean', **vit)
  c.heads.tokenizer = dict(name='convnet', on='data.image', widths=(64, 128, 256, 256), kernel=4)
  c.heads.codes = dict(name='linear', on='tokenizer', dim=8192)
  c.heads.decoder = dict(name='mlp', on='codes', widths=(1024, 768), norm='none')
  c.heads.predict = dict(name='linear', dim=8192)
  c.passes.seen = dict(name='masked_encode', hide='replace', mask=dict(name='beit_block_mask', ratio=75 / 196, least=16))
  rate = dict(name='cosine', peak=1.5e-3, end=1e-5, warmup='10 epochs')
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.05, clip=3.0)
  c.evaluators = dict(
    finetune=dict(
      name='finetune', shots=None, seeds=(0,), epochs=100, batch_size=1024, learning_rates=(4e-3,), warmup='20 epochs',
      optimizer=dict(name='adamw', weight_decay=0.05, layer_decay=0.65),
      view=dict(name='augment', views=1, size=224, crop={}, flip=0.5, randaugment=dict(number=2, magnitude=9, std=0.5)),
      mixup=0.8, cutmix=1.0, smoothing=0.1, drop_path=0.1, pool='mean', norm='layer', std=2e-5,
    )
  )  # fmt: skip
  return c
