"""CLIP. Radford et al., ICML 2021. arXiv:2103.00020, section 2 and Figure 3: pictures and captions, each found by the other in a batch.

Small networks, trained from nothing, and small changes of pictures in place of random square crops. Captions, and pictures, that are the
same are left out of each other's negatives where the data have a column that says so.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='digit_captions', batch_size=64, epochs=24, widths=(32, 64, 128))
  c.parts = (
    'an encoder of images and one of texts, each with a linear map into one space of unit vectors',
    'cross entropy over all pairs of a batch, of texts given images and of images given texts',
    'learned temperature, that starts at 0.07 and stays above 0.01',
    'zero-shot classification by texts that name the classes, the mean of several prompts',
    dict(part='a causal transformer, read at the last token of a text', out='open', why='a BERT, whose tokens are averaged'),
    dict(part='ResNets with attention pooling, and ViTs', out='scale', why='a convnet'),
    dict(part='400 million pairs of the web', out='data', why='not published'),
  )
  c.kind = 'multimodal'
  c.view.affine = dict(degrees=8, translate=0.05, scale=(0.9, 1.1))
  c.view = dict(name='with_columns', names=('ids',), view={**c.view.to_dict(), 'views': 1})
  c.heads.image_end = dict(name='linear', dim=common.at(scale)(small=64, tiny=16), bias=False)
  c.heads.text = common.transformer(scale, 'bert', width=64, depth=2, heads=4, std=0.1, on='data.ids')
  c.heads.text_end = dict(name='linear', dim=common.at(scale)(small=64, tiny=16), bias=False, on='text')
  c.heads.scale = dict(name='scale', init=1 / 0.07)
  c.passes.views = dict(name='embed', towers=('backbone', 'text'), heads=dict(backbone=('image_end',), text=('text_end',)))
  c.losses.clip = dict(name='pairwise_info_nce', of=dict(z='views.q', scale='nets.scale'))
  c.optimizer.learning_rate.peak = 2e-3
  c.evaluators = dict(retrieval=dict(name='image_text_retrieval'), zero_shot=dict(name='zero_shot'))
  c.claim = None
  return c
