"""What configs have in common: one function a modality, each for a scale.

The options of a function are those of the scale `small`, for which claims are made. At `tiny` a function takes its own batch, steps,
widths and lengths instead, so that most configs say nothing of scales. What a config adds at several scales it picks by `at`. Systems with
`SCALES = ('fashion_mnist',)` have that scale too, at which `image` and `image_masked` take that data set, with its own batch and length.
"""

from collections.abc import Callable
from typing import Any

from ml_collections import ConfigDict

IMAGENET = dict(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))  # of its pixels, in units of [0, 1]
CIFAR10 = dict(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
# Changes of colour of SimCLR (arXiv:2002.05709, appendix A), MoCo v2 (official code, main_moco.py) and BYOL (arXiv:2006.07733, appendix B).
STRONG = dict(brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, p=0.8)
WEAK = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, p=0.8)
MILD = dict(brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, p=0.8)
ALL_DECAYED = (dict(of='*', decay=1.0),)  # biases and normalisations too, as by optimisers of PyTorch


def at(scale: str) -> Callable[..., Any]:
  """Picks by scale: `at(scale)(small=4096, tiny=64)`. A scale that is not named has the value of `small`."""
  return lambda *, small, **others: others.get(scale, small)


def base(scale: str = 'small', *, data: str, batch_size: int, epochs: int | None = 1, steps: int | None = None) -> ConfigDict:
  """The keys that every config has. At `tiny`: 8 steps of 16 examples."""
  if scale == 'tiny':
    batch_size, epochs, steps = 16, 1, 8
  c = ConfigDict(dict(data=dict(name=data), batch_size=batch_size, seed=0, mesh={}))
  with c.ignore_type():
    c.epochs = epochs
  if steps is not None:
    c.steps = steps
  for part in ('heads', 'passes', 'losses', 'memories', 'metrics'):
    c[part] = {}
  c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=6e-3, warmup='10%'), weight_decay=0.05)
  return c


def transformer(scale: str, name: str, *, width: int, depth: int, heads: int, **options) -> dict:
  """A network of attention blocks. At `tiny`: one block, 16 wide, of two heads."""
  shape = at(scale)(small=dict(width=width, depth=depth, heads=heads), tiny=dict(width=16, depth=1, heads=2))
  return dict(name=name, **shape, **options)


def mae_decoder(scale: str, *, width: int, depth: int, heads: int, **options) -> dict:
  """The decoder of masked autoencoders. At `tiny`: one block, 24 wide, which positions in up to three dimensions divide."""
  return transformer(scale, 'mae_decoder', width=width, depth=depth, heads=heads, **options) | at(scale)(small={}, tiny=dict(width=24))


def minilm(scale: str, depth: int | None = None, **options) -> dict:
  """MiniLM, all of it or its first blocks. At `tiny`: a BERT of two narrow blocks, not pretrained."""
  if scale == 'tiny':
    return dict(name='bert', width=16, depth=2, heads=2, std=0.2, **options)
  return dict(name='minilm', **options) | (dict(depth=depth) if depth else {})


def minilm_ids(scale: str, length: int) -> dict:
  """Options of a data set of texts, read as MiniLM reads them. At `tiny`: 8 of 600 word pieces that are found in the texts."""
  return at(scale)(small=dict(tokenizer='minilm', length=length), tiny=dict(tokenizer=None, vocabulary=600, length=8))


def start(scale: str, name: str, **options) -> dict:
  """A network that jssl ships trained, and not by contrast: 'masked_lm', its 'masked_lm_head', 'causal_lm' or 'image_encoder'.

  At `tiny`: two narrow blocks, not trained.
  """
  if scale == 'tiny':
    shape = dict(width=16, depth=2, heads=2)
    untrained = dict(
      masked_lm=dict(name='bert', std=0.2, **shape), causal_lm=dict(name='causal_lm', std=0.2, **shape), masked_lm_head=dict(name='lm_head'),
      image_encoder=dict(name='vit', patch=4, pool='mean', positions='sincos', **shape),
    )  # fmt: skip
    return untrained[name] | options
  return dict(name=f'{name}_start', **options)


def start_ids(scale: str, length: int) -> dict:
  """Options of a data set of texts, read as the language models of `start` read them. At `tiny`: as `minilm_ids`."""
  return minilm_ids(scale, length) | at(scale)(small=dict(tokenizer='starts'), tiny={})


def image(
  scale: str = 'small', *, data: str = 'mnist5k', batch_size: int = 256, epochs: int = 20, widths: tuple[int, ...] = (32, 64, 128, 128)
) -> ConfigDict:
  """Images: a strided convnet, and small changes of position, size, slant, brightness and contrast as the views.

  At `fashion_mnist`: mirrored too and changed less, as chosen on validation data; judged on these ten times a run.
  """
  if scale == 'fashion_mnist':
    data, batch_size, epochs = scale, 256, 10
  c = base(scale, data=data, batch_size=batch_size, epochs=epochs)
  c.backbone = dict(name='convnet', widths=at(scale)(small=widths, tiny=(8, 16)))
  c.view = dict(
    name='augment',
    affine=dict(degrees=20, translate=0.15, scale=(0.6, 1.2), shear=20),
    jitter=dict(brightness=0.4, contrast=0.4),
  )
  c.inputs = dict(name='plain')
  if scale == 'fashion_mnist':
    c.view.update(flip=0.5, affine=dict(degrees=10, translate=0.1, scale=(0.8, 1.2), shear=10))
    with c.ignore_type():
      c.evaluate_every, c.curves = '10%', dict(best='knn_top1')
  return c


def imagenet(*, batch_size: int = 4096, epochs: int = 100) -> ConfigDict:
  """ImageNet at 224 pixels for a ResNet-50, views and optimiser as in SimCLR (arXiv:2002.05709, section 2.2 and appendix A)."""
  c = base(data='imagenet2012', batch_size=batch_size, epochs=epochs)
  c.data.update(test='validation', resize=256, crop=dict(views=2, size=224, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)))
  c.backbone = dict(name='resnet50')
  c.view = dict(
    name='augment', flip=0.5,
    jitter=dict(brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, p=0.8), grey=0.2, blur=dict(sigma=(0.1, 2.0), p=0.5, radius=11),
  )  # fmt: skip
  c.inputs = dict(name='plain', size=224)
  view = dict(name='augment', views=1, size=224, crop=dict(scale=(0.08, 1.0)), flip=0.5)
  c.evaluators = dict(
    knn=dict(name='knn'),
    linear=dict(name='linear', learning_rates=(0.03, 0.1, 0.3), epochs=90, batch_size=4096, norm='none', view=view),
  )
  rate = dict(name='cosine', peak=0.3 * batch_size / 256, warmup='10 epochs')
  c.optimizer = dict(name='lars', learning_rate=rate, weight_decay=1e-6, momentum=0.9)
  return c


def cifar10(*, batch_size: int = 256, epochs: int = 1000, **optimizer) -> ConfigDict:
  """CIFAR-10 for a ResNet-18 with a stem for small images, as solo-learn trains it (scripts/pretrain/cifar); `optimizer` as in `solo_learn`.

  Deviates, here and in `imagenet100`: images are resized bilinearly (solo-learn: bicubically); the stem pads by 1 (solo-learn: by 2); no
  classifier is trained beside the network, whose accuracy solo-learn gives; the probe is trained afterwards.
  """
  c = base(data='cifar10', batch_size=batch_size, epochs=epochs)
  c.view, c.inputs = cifar10_views(), dict(name='plain', **CIFAR10)
  return solo_learn(c, view=dict(name='augment', views=1, crop=dict(scale=(0.08, 1.0)), flip=0.5), **optimizer)


def cifar10_views(**options) -> dict:
  """Views of BYOL for small images, without blur (solo-learn, augmentations/asymmetric.yaml); with `options`, two that are drawn alike."""
  views = 2 if options else ({}, dict(solarize=0.2))
  return dict(name='augment', views=views, crop=dict(scale=(0.08, 1.0)), flip=0.5, grey=0.2, **CIFAR10) | dict(jitter=MILD) | options


def imagenet100(*, batch_size: int = 256, epochs: int = 400, **optimizer) -> ConfigDict:
  """ImageNet-100 for a ResNet-18, as solo-learn trains it (scripts/pretrain/imagenet-100); `optimizer` as in `solo_learn`.

  Its classes are in the file imagenet100.txt, separated by space or line; solo-learn's are in solo/data/dataset_subset/imagenet100_classes.txt.
  Views are those of BYOL (augmentations/asymmetric.yaml).
  """
  c = imagenet(batch_size=batch_size, epochs=epochs)
  c.data = dict(name='some_classes', names='imagenet100.txt', of=c.data.to_dict())
  c.view, c.inputs = imagenet_views(), dict(name='plain', size=224, **IMAGENET)
  return solo_learn(c, view=dict(name='augment', views=1, size=224, crop=dict(scale=(0.08, 1.0)), flip=0.5), **optimizer)


def solo_learn(c: ConfigDict, *, view: dict, rate: float, weight_decay: float, name: str = 'lars') -> ConfigDict:
  """The network, optimiser and linear probe of solo-learn.

  Warm-up of 10 epochs from 3e-5 and a cosine (methods/base.py), with LARS of clipped ratios, which leaves biases out (utils/lars.py), or SGD,
  which decays them; the rate is for a batch of 256 (args/pretrain.py). The classifier has the settings of scripts/linear/imagenet-100, but a
  cosine, and rates from a grid.
  """
  c.backbone = dict(name='resnet18', zero=False)
  cosine = dict(name='cosine', peak=rate, warmup='10 epochs', start=3e-5)
  own = dict(lars=dict(form='larc', trust=0.02, trust_clip=True, eps=1e-8, momentum=0.9), sgd=dict(momentum=0.9, parts=ALL_DECAYED))
  c.optimizer = dict(name=name, learning_rate=cosine, per=256, weight_decay=weight_decay, **own.get(name, {}))
  c.evaluators = dict(knn=dict(name='knn'), linear=dict(name='linear', learning_rates=(0.1, 0.3, 1.0), norm='none', view=view))
  return c


def alike_views(**options) -> dict:
  """Two views of pictures of ImageNet that are drawn alike, as in MoCo v2 (aug_plus in main_moco.py)."""
  return dict(name='augment', views=2, flip=0.5, grey=0.2, blur=dict(p=0.5), **IMAGENET) | dict(jitter=WEAK) | options


def imagenet_views(*, local: int = 0, solarize: float = 0.2, **jitter) -> dict:
  """Views of BYOL (arXiv:2006.07733, appendix B), with other blur and solarisation for each, and `local` smaller ones as in DINO."""
  jitter = MILD | jitter
  each = (dict(blur=dict(p=1.0)), dict(blur=dict(p=0.1), solarize=solarize), *(dict(blur=dict(p=0.5), size=96),) * local)
  return dict(name='augment', views=each, flip=0.5, jitter=jitter, grey=0.2, **IMAGENET)


def masked_distillation(c: ConfigDict, *, decay: float, temperature: Any) -> None:
  """The losses of iBOT (arXiv:2111.07832, section 3.1) on the first two views, with one head, two centres and a teacher, who is judged."""
  c.teacher = dict(name='ema', decay=dict(name='rise', start=decay), networks=('backbone', 'projector'))
  mask = dict(name='drawn_block_mask', ratio=(0.1, 0.5), p=0.5)
  both = dict(masked=(0, 1), targets=(0, 1))
  c.passes.views = dict(name='masked_views', mask=mask, **both, heads=('projector',), patch_heads=('projector',))
  c.memories = dict(centre=dict(name='centre', of='views.k'), patches=dict(name='token_centre', of='views.k_patches'))
  of = dict(q='views.q', k='views.k', centre='memory.centre')
  c.losses.classes = dict(name='dino', of=of, pairs='all', teacher_temperature=temperature)
  of = dict(q='views.q_patches', k='views.k_patches', mask='views.mask', centre='memory.patches')
  c.losses.patches = dict(name='ibot', of=of, teacher_temperature=temperature)
  c.represent = dict(from_teacher=True)


def imagenet_masked(*, batch_size: int = 4096, epochs: int = 1600) -> ConfigDict:
  """ImageNet at 224 pixels for a ViT-B/16, view and optimiser as in MAE (arXiv:2111.06377, appendix A.1, Table 8)."""
  c = imagenet(batch_size=batch_size, epochs=epochs)
  c.data.crop = dict(views=1, size=224, scale=(0.2, 1.0), ratio=(3 / 4, 4 / 3))
  c.backbone = dict(name='vit_base', patch=16, class_token=True, pool='mean', positions='sincos', mask_token=False, std=0.0)
  c.view = dict(name='augment', views=1, flip=0.5, **IMAGENET)
  c.inputs = dict(name='plain', size=224, **IMAGENET)
  rate = dict(name='cosine', peak=1.5e-4 * batch_size / 256, warmup='40 epochs')
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.05, b1=0.9, b2=0.95)
  return c


def imagenet_finetune(
  *,
  batch_size: int = 1024,
  epochs: int = 100,
  rate: float = 5e-4,
  warmup: str = '5 epochs',
  weight_decay: float = 0.05,
  layer_decay: float = 0.65,
  drop_path: float = 0.1,
) -> dict:
  """End-to-end fine-tuning on all labels, by default that of a ViT-B: MAE, Table 9, and main_finetune.py; `rate` is that of 256 images."""
  return dict(
    name='finetune', shots=None, seeds=(0,), epochs=epochs, batch_size=batch_size, learning_rates=(rate * batch_size / 256,),
    warmup=warmup, optimizer=dict(name='adamw', weight_decay=weight_decay, b2=0.999, layer_decay=layer_decay),
    view=dict(name='augment', views=1, size=224, crop={}, flip=0.5, randaugment=dict(number=2, magnitude=9, std=0.5)),
    mixup=0.8, cutmix=1.0, smoothing=0.1, drop_path=drop_path, pool='mean', norm='layer', std=2e-5,
  )  # fmt: skip


def videos(*, source: str, batch_size: int, stride: int, crop: dict, flip: float = 0.0, **length: int) -> ConfigDict:
  """Clips of 16 frames at 224 pixels, from a folder of videos, each a folder of frames (`jssl.data.own.clips`); `length` is epochs or steps."""
  c = base(data=f'clips:{source}', batch_size=batch_size, **length)
  c.data.update(frames=16, stride=stride, resize=224, crop=crop)
  c.view = dict(name='whole_clip', flip=flip, **IMAGENET)
  c.inputs = dict(name='whole_clip', **IMAGENET)
  return c


def image_texts(
  *, batch_size: int, epochs: int | None = None, steps: int | None = None, size: int = 224, length: int, vocabulary: int, **pixels
) -> ConfigDict:
  """Images, scaled and centre-cropped, with texts, in tars of a user's own: `--config.data.name=tar:PATTERN`.

  No package ships the papers' pairs. Texts are read as word pieces that are found in them, unless `data.tokenizer` names others. `pixels` are
  mean and std, in units of [0, 1].
  """
  c = base(data='tar:pairs/*.tar', batch_size=batch_size, epochs=epochs, steps=steps)
  c.data.update(resize=size, length=length, vocabulary=vocabulary)
  c.kind = 'multimodal'
  c.view = dict(name='with_columns', names=('ids',), view=dict(name='augment', views=1, **pixels))
  c.inputs = dict(name='plain', **pixels)
  c.evaluators = dict(retrieval=dict(name='image_text_retrieval'))
  return c


def image_masked(scale: str = 'small', *, data: str = 'mnist5k', batch_size: int = 32, epochs: int = 8, width: int = 96) -> ConfigDict:
  """Images cut into patches for a small vision transformer, with one lightly moved view of each, standardised.

  It takes some hundred updates until attention finds the neighbours of what is hidden, so batches are small and blocks few.
  """
  c = image(scale, data=data, batch_size=batch_size, epochs=epochs)
  pixels = at(scale)(small=dict(mean=0.13, std=0.31), fashion_mnist=dict(mean=0.29, std=0.35))
  shape = at(scale)(small=dict(width=width), tiny=dict(width=16, heads=2))
  c.backbone = dict(name='vit_micro', **shape, depth=2, patch=4, pool='mean', positions='sincos')
  c.view = dict(name='augment', views=1, affine=dict(degrees=10, translate=0.1, scale=(0.8, 1.1)), **pixels)
  c.inputs = dict(name='plain', **pixels)
  c.optimizer.learning_rate.peak = 1.5e-3
  c.optimizer.b2 = 0.95
  if scale == 'fashion_mnist':
    c.batch_size, c.epochs, c.view.flip = 64, 4, 0.5
  return c


def image_captions(scale: str = 'small', *, batch_size: int, epochs: int, width: int = 64) -> ConfigDict:
  """Images with captions, for a convnet and a tower of texts that the config adds as `text`, with linear maps into one space."""
  c = image(scale, data='digit_captions', batch_size=batch_size, epochs=epochs, widths=(32, 64, 128))
  c.kind = 'multimodal'
  c.view.affine = dict(degrees=8, translate=0.05, scale=(0.9, 1.1))
  c.view = dict(name='with_columns', names=('ids',), view={**c.view.to_dict(), 'views': 1})
  dim = at(scale)(small=width, tiny=16)
  c.heads.image_end = dict(name='linear', dim=dim, bias=False)
  c.heads.text_end = dict(name='linear', dim=dim, bias=False, on='text')
  c.passes.views = dict(name='embed', towers=('backbone', 'text'), heads=dict(backbone=('image_end',), text=('text_end',)))
  c.optimizer.learning_rate.peak = 2e-3
  c.evaluators = dict(retrieval=dict(name='image_text_retrieval'), zero_shot=dict(name='zero_shot'))
  return c


def scenes(scale: str = 'small', *, batch_size: int = 64, epochs: int = 16) -> ConfigDict:
  """Scenes of several digits for a convnet whose tokens are a grid of 4 x 4 cells, judged by the classes of these.

  Views are crops, with brightness and contrast changed.
  """
  c = image(scale, data='digit_scenes', batch_size=batch_size, epochs=epochs)
  c.data.update(at(scale)(small=dict(train=1000), tiny=dict(train=64, test=16)))
  c.optimizer.learning_rate.peak = 3e-3
  c.backbone = dict(name='convnet', widths=at(scale)(small=(32, 64, 64), tiny=(8, 16, 16)), kernel=(4, 3, 3))
  c.view = dict(name='augment', crop=dict(scale=(0.4, 1.0)), jitter=dict(brightness=0.4, contrast=0.4))
  c.evaluators = dict(dense=dict(name='cells', l2=(1e-3, 1e-2)), places=dict(name='correspondence', view=c.view.to_dict()))
  return c


def text(
  scale: str = 'small', *, data: str = 'king_james', batch_size: int = 64, steps: int = 120, vocabulary: int = 2048, length: int = 32
) -> ConfigDict:
  """Texts as word pieces, for a BERT of three layers. At `tiny`: 8 word pieces a text."""
  c = base(scale, data=data, batch_size=batch_size, steps=steps)
  c.data.update(length=at(scale)(small=length, tiny=8), vocabulary=vocabulary)
  c.backbone = transformer(scale, 'bert', width=64, depth=3, heads=4, dropout=0.1, std=0.1)
  c.optimizer.learning_rate.peak = 2e-3
  return c


def english(scale: str = 'small', *, batch_size: int = 32, steps: int = 2000, length: int = 48, vocabulary: int = 4096) -> ConfigDict:
  """Passages of English for a language model; its word pieces are found in the passages. At `tiny`: of news alone, 8 of 600."""
  c = base(scale, data='english', batch_size=batch_size, epochs=None, steps=steps)
  c.data.update(at(scale)(small=dict(length=length, vocabulary=vocabulary), tiny=dict(name='lee', length=8, vocabulary=600)))
  c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=2e-3, warmup='5%'), weight_decay=0.01)
  return c


def sentences(scale: str = 'small', *, data: str = 'lee', batch_size: int = 32, steps: int = 16, length: int = 24, **backbone) -> ConfigDict:
  """Sentences for the first blocks of MiniLM, a start that knows words; the views are the same sentence twice, under dropout."""
  c = base(scale, data=data, batch_size=batch_size, steps=steps)
  c.data.update(minilm_ids(scale, length))
  c.backbone = minilm(scale, **{'depth': 1, 'dropout': 0.1, **backbone})
  c.view = dict(name='duplicate')
  c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=3e-4, warmup='10%'), weight_decay=0.01)
  c.evaluators = dict(sts=dict(name='sts', pairs='pairs_test'))
  return c


def pair_classes(c: ConfigDict, *, second: str = 'second', label: str = 'relation', **head) -> None:
  """A classifier of pairs of sentences that are encoded apart; `head` are options of `compared`.

  It is judged by its accuracy, and the encoder by the cosines of pairs with scores.
  """
  c.heads.relation = dict(name='compared', **head)
  c.passes.pair = dict(name='embed', view=dict(name='columns', names=('ids', second)))
  c.passes.relation = dict(name='apply', network='relation', on=('pair.q[0]', 'pair.q[1]'))
  c.losses.relation = dict(name='cross_entropy', of=dict(logits='relation.out', labels=f'batch.{label}'))
  c.watch = ('pair.q[0]', 'pair.q[1]')
  c.evaluators = dict(pair=dict(name='pair_classification'), sts=dict(name='sts', texts='sentences'))


def frozen_minilm(scale: str = 'small', *, data: str, length: int, **backbone) -> ConfigDict:
  """A pretrained encoder of sentences as it comes: nothing is trained, evaluators judge what is in it."""
  c = base(scale, data=data, batch_size=64)
  c.data.update(minilm_ids(scale, length))
  c.backbone = minilm(scale, **backbone)
  c.steps, c.kind = 0, 'analysis'
  return c


def diffusion(scale: str = 'small', *, data: str = 'digits', batch_size: int = 64, epochs: int = 10) -> ConfigDict:
  """Images in [-1, 1] with the noise of the cosine schedule, an encoder of few features and a small U-Net."""
  c = image(scale, data=data, batch_size=batch_size, epochs=epochs, widths=(32, 64))
  c.backbone.kernel = (3, 2)
  c.view = c.inputs = dict(name='plain', mean=0.5, std=0.5)
  c.heads.denoiser = dict(name='unet', on='data.image', code=c.backbone.widths[-1], widths=at(scale)(small=(16, 32), tiny=(8, 8)))
  c.optimizer.learning_rate.peak = 3e-3
  c.evaluators = dict(linear=dict(name='logistic'), fewshot=dict(name='fewshot'))
  return c


def small_masked(scale: str = 'small', *, data: str = 'digits', patch: int = 2, batch_size: int = 64, epochs: int = 12) -> ConfigDict:
  """Small pictures in patches for a vision transformer of two blocks; views standardise by the same numbers as `inputs`."""
  c = base(scale, data=data, batch_size=batch_size, epochs=epochs)
  c.backbone = transformer(scale, 'vit', width=48, depth=2, heads=4, patch=patch, pool='mean', positions='sincos', std=0.0, temperature=8.0)
  c.inputs = dict(name='plain', mean=0.3, std=0.35)
  c.optimizer.learning_rate.peak = 3e-3
  c.evaluators = dict(linear=dict(name='logistic'), fewshot=dict(name='fewshot'))
  c.optimizer.b2 = 0.95
  return c


def speech(scale: str = 'small', *, batch_size: int = 16, epochs: int = 6) -> ConfigDict:
  """Words of vowels as waveforms, for a small wav2vec. At `tiny`: utterances of 24 frames, of 3 words."""
  c = base(scale, data='vowel_words', batch_size=batch_size, epochs=epochs)
  c.data.update(at(scale)(small=dict(frames=48, train=600, test=400), tiny=dict(words=3, frames=24, train=64, test=32)))
  narrow = dict(width=16, depth=1, heads=2, channels=(8,) * 4)
  c.backbone = dict(name='wav2vec_micro', **at(scale)(small={}, tiny=narrow))
  c.optimizer = dict(name='adamw', learning_rate=dict(name='linear_decay', peak=3e-3, warmup='8%'), weight_decay=0.01, b2=0.98, eps=1e-6)
  c.evaluators = dict(linear=dict(name='logistic'), speaker=dict(name='erasure', attribute='speaker'))
  return c


def librispeech(*, batch_size: int, steps: int, **backbone) -> ConfigDict:
  """LibriSpeech, 960 hours cut to 250,000 samples, for the BASE network of wav2vec 2.0 (arXiv:2006.11477, section 4.2), and its optimiser.

  The peak of the rate, its rise over the first 8 % and fall to 0, and Adam's constants are those of wav2vec2_base_librispeech.yaml and
  hubert_base_librispeech.yaml in the official code; there weight decay acts on all parameters, here on kernels and embeddings alone.
  """
  c = base(data='librispeech', batch_size=batch_size, epochs=None, steps=steps)
  c.backbone = dict(name='wav2vec_base', dropout=0.1, drop_path=0.05, **backbone)
  c.optimizer = dict(name='adamw', learning_rate=dict(name='linear_decay', peak=5e-4, warmup='8%'), weight_decay=0.01, b2=0.98, eps=1e-6)
  c.evaluators = {}
  return c


def arxiv(*, batch_size: int, steps: int) -> ConfigDict:
  """ogbn-arXiv: nodes with up to 64 others within three hops, from a file that the user gives, edge_index, x (standardised) and y."""
  c = base(data='graph:ogbn-arxiv.npz', batch_size=batch_size, epochs=None, steps=steps)
  c.data.update(size=64, hops=3)
  c.inputs = dict(name='whole_graph')
  c.evaluators = dict(linear=dict(name='logistic'))
  return c


def played(scale: str, *, data: str, batch_size: int, steps: int, rate: float, **options) -> ConfigDict:
  """What is played on the device, seen as images by a small perceptron. At `tiny`: 32 episodes, and 4 to test on."""
  c = base(scale, data=data, batch_size=batch_size, epochs=None, steps=steps)
  c.data.update(options, **at(scale)(small={}, tiny=dict(episodes=32, test=4)))
  c.backbone = dict(name='mlp_backbone', on='data.frame', widths=at(scale)(small=(128, 64), tiny=(16, 8)), norm='none')
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.0)
  return c


def rooms(scale: str = 'small', *, batch_size: int = 128, steps: int = 600, **data) -> ConfigDict:
  """Four rooms; options as those of the data set `rooms`."""
  return played(scale, data='rooms', batch_size=batch_size, steps=steps, rate=2e-3, **data)


def rooms_played(scale: str = 'small', *, batch_size: int = 64, steps: int = 600, copies: int = 1, **data) -> ConfigDict:
  """The same rooms, trained on what the policy plays: Q-learning, with a slow target network, beside what a system adds."""
  c = rooms(scale, batch_size=batch_size, steps=steps, copies=copies, **data)
  c.data.head = 'q'
  c.backbone.norm = 'layer'
  c.heads.q = dict(name='linear', dim='data.action.size')
  c.heads.action = dict(name='action_embedding', on='data.action')
  c.heads.transition = dict(name='transition', actions='data.action.size')
  c.teacher = dict(name='ema', decay=0.99, networks=('backbone', 'q'))
  c.passes.play = dict(name='q_values', horizon=3)
  of = ('q_values', 'next_online', 'next_target', 'actions', 'rewards', 'discounts')
  c.losses.values = dict(name='double_dqn', of={name: f'play.{name}' for name in of})
  c.metrics.q = dict(name='mean_value', of=('play.q_values',))
  c.evaluators = dict(control=dict(name='control'))
  return c


def demonstrations(scale: str = 'small', *, batch_size: int = 64, steps: int = 400, **data) -> ConfigDict:
  """A point mass pushed to its goal by an expert; seen as vectors where side=0."""
  c = played(scale, data='demonstrations', batch_size=batch_size, steps=steps, rate=1e-3, **data)
  c.evaluators = dict(state=dict(name='regression'), cloning=dict(name='cloning'))
  return c


def answers(scale: str = 'small', *, batch_size: int = 64, steps: int = 400, **data) -> ConfigDict:
  """Sums worked out step by step, some steps wrong, for a causal transformer of two blocks."""
  c = base(scale, data='chains', batch_size=batch_size, epochs=None, steps=steps)
  c.data.update(data)
  c.backbone = dict(name='causal_lm', width=48, depth=2, heads=4, std=0.1)
  c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=3e-3, warmup='10%'), weight_decay=0.01)
  return c


def bert_sentences(data: str, *, batch_size: int, rate: dict, length: int = 32, epochs: int = 1, **optimizer) -> ConfigDict:
  """Sentences of a file for BERT-base, which begins from the folder bert-base-uncased, with [CLS] as the vector and dropout of 0.1.

  A sentence a line, as {"text": ...}; a thousandth is held out. The optimiser is that of transformers' Trainer, which clips by default.
  """
  c = base(data=data, batch_size=batch_size, epochs=epochs)
  c.data.update(tokenizer='bert-base-uncased/tokenizer.json', length=length, held_out=0.001)
  c.backbone = dict(name='bert_from', folder='bert-base-uncased', dropout=0.1, pool='cls')
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.0, clip=1.0, **optimizer)
  c.evaluators = {}
  return c
