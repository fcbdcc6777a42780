"""SupCon. Khosla, Teterwak, Wang, Sarna, Tian, Isola, Maschinot, Liu, Krishnan, NeurIPS 2020. arXiv:2004.11362, Eq. 2."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale)
  c.parts = (
    'mean log-likelihood of all views of the class outside the logarithm (L_out), temperature 0.1, anchors in both views',
    'embeddings of unit length; all other views of the batch in the denominator',
    'projector of two layers, 256 and 64, with batch norm (official code: none), left out after training',
    'second stage: linear classifier on the frozen encoder, here logistic regression by L-BFGS',
    'two views by affine moves, brightness and contrast (paper: AutoAugment, RandAugment and others); AdamW',
    dict(part='cross-entropy as the rival; the mean inside the logarithm (L_in)', out='open', why='neither is run'),
    dict(part='robustness to corruptions; stability over hyperparameters; fine-tuning on other tasks', out='open', why='a linear probe alone'),
    dict(part='CIFAR-10, CIFAR-100, ImageNet and ImageNet-C', out='data', why='no package ships them; 4,000 digits'),
    dict(part='ResNet-50 to ResNet-200, 350 to 700 epochs at batch 6,144', out='scale', why='a convnet, 20 epochs at batch 256'),
  )
  c.kind = 'supervised'
  c.heads.projector = dict(name='mlp', widths=(256, 64))
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='sup_con', of=dict(q='views.q', k='views.k', labels='batch.label'), pairs='all', temperature=0.1)
  c.claim = dict(metric='linear_top1', beats=('raw_input', 'random_init'), margin=0.02)
  return c
