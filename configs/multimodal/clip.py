"""CLIP. Radford et al., ICML 2021. arXiv:2103.00020, section 2 and Figure 3: pictures and captions, each found by the other in a batch.

Small networks, trained from nothing, and small changes of pictures in place of random square crops. Captions, and pictures, that are the
same are left out of each other's negatives where the data have a column that says so.

The scale `wit` is the ViT-B/32 of appendix F (Tables 18 and 20) on 400 million pairs of a user's own, with networks as in the official code
(model.py); its hours are not published. Constants that the code does not hold are from memory of the tables.
Deviates: texts as WordPiece of 49,408 pieces (paper: byte pairs); random resized crops of .9 to 1 of the area, as in open_clip (paper: a
square of the resized image, without its size); initial deviations of CLIP's own (.02 here, with the same scaling by depth of text alone).
"""

from jssl.configs import common

PUBLISHED = dict(wit=dict(metric='imagenet_zero_shot_top1', value=0.632, source='arXiv:2103.00020, Table 11', hardware=None, hours=None))


def get_config(scale='small'):
  c = common.image_captions(scale, batch_size=64, epochs=24)
  c.parts = (
    'an encoder of images and one of texts, each with a linear map into one space of unit vectors',
    'a causal transformer, read at the last token of a text',
    'cross entropy over all pairs of a batch, of texts given images and of images given texts',
    'learned temperature, that starts at 0.07 and stays above 0.01',
    'zero-shot classification by texts that name the classes, the mean of several prompts',
    'similarities in chunks, on each device those of its own images and texts; ViT-B/32 with a norm before its blocks: at the scale wit',
    dict(part='ResNets with attention pooling; ViT-B/16 and ViT-L/14, at 336 pixels in a last epoch', out='scale', why='a convnet; ViT-B/32'),
    dict(part='400 million pairs of the web', out='data', why='not published; captions of digits, or pairs of a user'),
  )
  c.heads.text = common.transformer(scale, 'text_tower', width=64, depth=2, heads=4, pool='last_real', std=0.1, on='data.ids')
  c.heads.scale = dict(name='scale', init=1 / 0.07)
  c.losses.clip = dict(name='pairwise_info_nce', of=dict(z='views.q', scale='nets.scale'))
  c.claim = dict(
    metric='zero_shot_top1', beats=('random_init', 'names_alone'), margin=0.02, without='names_alone',
    variants=dict(names_alone=("evaluators.zero_shot.prompts=('{}',)",)),  # section 3.1.4
  )  # fmt: skip
  return c


def wit():
  mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # clip.py
  c = common.image_texts(batch_size=32768, epochs=32, length=77, vocabulary=49408, mean=mean, std=std)
  c.data.crop = dict(views=1, size=224, scale=(0.9, 1.0), ratio=(3 / 4, 4 / 3))
  c.inputs.size = 224
  made = dict(activation='quick_gelu', epsilon=1e-5)
  c.backbone = dict(name='vit_base', patch=32, pre_norm=True, pooled_norm=True, mask_token=False, **made)
  c.heads.text = dict(name='text_tower', on='data.ids', width=512, depth=12, heads=8, pool='last_real', **made)
  c.heads.image_end = dict(name='linear', dim=512, bias=False)
  c.heads.text_end = dict(name='linear', dim=512, bias=False, on='text')
  c.heads.scale = dict(name='scale', init=1 / 0.07, max=100.0)
  c.passes.views = dict(name='embed', towers=('backbone', 'text'), heads=dict(backbone=('image_end',), text=('text_end',)))
  of = dict(q='views.q', k='views.k', temperature='nets.scale.temperature')
  c.losses.clip = dict(name='info_nce', of=of, pairs='all', chunk=1024)
  rate = dict(name='cosine', peak=5e-4, warmup='2000 steps')
  all_weights = (dict(of=('text.word', 'text.positions', 'backbone.positions'), decay=1.0),)  # "that are not gains or biases", section 2.5
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.2, b1=0.9, b2=0.98, eps=1e-6, parts=all_weights)
  c.micro_batches = 8
  return c
