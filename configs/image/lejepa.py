"""LeJEPA. Balestriero, LeCun, 2025. arXiv:2511.08544, section 5.1, Algorithms 1 and 2.

The paper's finding is that embeddings held near an isotropic Gaussian do not collapse, without a teacher, stop-gradients or schedules, and
that the characteristic function holds them there where the first two moments leave shortcuts (sections 4.2.3 and 5.2).

The scale `imagenet` is the ViT-L/14 of 100 epochs: 2 global and 6 local views, batch 512 (Table 1b; README and scripts/launch_views_ablation.md
of the official code), 17 points on [0, 5] and 1,024 directions as recommended in section 6.1, AdamW of rate 5e-4 and decay 0.05.
Deviates: global views of 224 pixels (the scripts: 238), local ones cropped from 224; a probe of the class token (official: of the last two
layers, layer-normalised). Warm-up of 10 epochs: unpublished.
"""

from jssl.configs import common

PUBLISHED = dict(
  imagenet=dict(
    metric='linear_top1', value=0.7424, source='arXiv:2511.08544, Table 1b, 8 views, 100 epochs', hardware='unpublished', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k', batch_size=64, epochs=4, widths=(16, 32, 64, 64))
  c.parts = (
    'SIGReg: Epps and Pulley along random directions, drawn anew at each step, of each view; 256 directions (paper: 1,024), 17 points to t = 5',
    'prediction: squared distance of all views to the mean of the global views, here of all 4 (paper: 2 global and 6 or 8 local)',
    'one trade-off, lambda 0.05; no teacher, predictor, stop-gradient or scheduled weight',
    'projector of two layers with batch norm, 128 and 32 (paper: of three, 64 to 1,024 wide)',
    'views by affine moves, brightness and contrast (paper: crops, flips, colour, grey, blur and solarisation, as at the scale imagenet)',
    'AdamW with warm-up and a cosine; linear probe of features before the projector',
    dict(part='averaged weights for the encoder of the centres, with ViTs', out='unpublished', why='optional in the paper; no decay is given'),
    dict(part='masked patches, a share of 0.3 in the scripts of the official code', out='unpublished', why='not in the paper'),
    dict(part='other tests of normality; rows of directions, points, views, batch sizes, registers', out='open', why='two moments alone'),
    dict(part='model selection by the loss', out='open', why='not run'),
    dict(part='ImageNet, ImageNet-100 and -10, Galaxy10; transfer to 8 data sets', out='data', why='no package ships them; 2,000 digits'),
    dict(part='ViT-L to ViT-g, ConvNeXt V2 and 50 others, 100 to 400 epochs', out='scale', why='a convnet, 4 epochs'),
  )
  c.data.train = 2000
  c.view.views = 4
  c.heads.projector = dict(name='mlp', widths=(128, 32))
  build(c, 'projector', directions=256)
  c.evaluators = dict(linear=dict(name='logistic'), isotropy=dict(name='isotropy'))
  c.claim = dict(
    metric='linear_top1', beats=('prediction_alone',), margin=0.05, without='prediction_alone',
    also=(dict(metric='linear_top1', beats=('moments',), margin=-0.01), dict(metric='linear_top1', beats=('random_init',), margin=0.02)),
    manipulation=dict(metric='isotropy_distance', beats=('moments',), margin=0.0, lower=True),
    variants=dict(prediction_alone=('losses.gaussian.weight=0.0',), moments=('losses.gaussian.moments=True',)),
  )  # fmt: skip
  return c


def build(c, *heads: str, directions: int, centres: int | None = None, lam: float = 0.05) -> None:
  c.passes.views = dict(name='embed', heads=heads)
  c.losses.predict = dict(name='view_centre', of=('views.q',), weight=1 - lam) | ({} if centres is None else dict(centres=centres))
  c.losses.gaussian = dict(name='sigreg', of=('views.q',), over='views', directions=directions, weight=lam)
  c.watch = ('views.q[0]', 'views.q[1]')


def imagenet():
  c = common.imagenet(batch_size=512, epochs=100)
  wide, near = dict(scale=(0.3, 1.0)), dict(scale=(0.05, 0.3))
  c.data.crop = dict(views=(*(wide,) * 2, *(near,) * 6), size=224, ratio=(3 / 4, 4 / 3))
  jitter = dict(brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, p=0.8)
  views = (*({},) * 2, *(dict(size=98),) * 6)
  c.view = dict(name='augment', views=views, flip=0.5, jitter=jitter, grey=0.2, blur=dict(p=0.5), solarize=0.2, **common.IMAGENET)
  c.inputs = dict(name='plain', size=224, **common.IMAGENET)
  c.backbone = dict(name='vit_large', patch=14, drop_path=0.1, mask_token=False)
  c.heads.embedding = dict(name='linear', dim=512)
  c.heads.projector = dict(name='mlp', on='embedding', widths=(2048, 2048, 512))
  build(c, 'embedding', 'projector', directions=1024, centres=2)
  rate = dict(name='cosine', peak=5e-4, end=5e-7, warmup='10 epochs')
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.05)
  return c
