"""Angular prototypical loss. Chung et al., In defence of metric learning for speaker recognition, Interspeech 2020. arXiv:2003.11982."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='voices', batch_size=80, epochs=75)
  c.number = 116
  c.parts = (
    'softmax over scaled cosines of one utterance and the centroids of the others, two utterances a speaker, no speaker twice in a batch',
    'learned scale from 10, as an exponential (paper: plain); the learned bias, which cancels, is left out',
    'rivals: softmax, AM-Softmax (margin 0.35), AAM-Softmax (0.2), both of scale 30, triplet (0.2), GE2E and prototypical',
    'triplet: half the weight on the hardest eleven negatives, half on all (official code draws one, so with these probabilities)',
    'random segments of 24 of 32 frames, 24 mel bands (paper: 2 s, 40 bands)',
    'equal error rate of speakers that are not in training, over all pairs of utterances',
    dict(part='self-attentive pooling; mean similarity of 10 segments an utterance', out='open', why='mean over time, whole utterances'),
    dict(part='margins and scales of the rivals tuned; larger numbers of utterances a speaker', out='open', why='one setting each'),
    dict(part='VoxCeleb', out='data', why='no package ships it; synthetic vowels of 200 speakers'),
    dict(part='VGG-M-40 and ResNet-34, 512 features, up to 800 utterances a batch', out='scale', why='a convnet, 32 features, 160 utterances'),
  )
  c.kind = 'supervised'
  c.backbone = dict(name='convnet', widths=common.at(scale)(small=(64, 64, 64), tiny=(8, 16)))
  c.view = dict(name='sample_items', column='utterances', views=2, frames=24)
  c.heads = dict(
    projector=dict(name='linear', dim=32),
    scale=dict(name='scale', init=10.0),
    speakers=dict(name='prototypes', k='data.label.size', on='projector'),
    classifier=dict(name='linear', dim='data.label.size', on='projector'),
  )
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.speaker = dict(name='angular_prototypical', of=dict(z='views.q', scale='nets.scale'))
  c.evaluators = dict(verification=dict(name='verification'))
  logits = "passes.views.heads=('projector', 'classifier')"
  each = lambda name, **of: f'losses.speaker={dict(name=name, of=dict(labels="batch.label", **of), over="views")}'
  margin = lambda name: (each(name, z='views.q', prototypes='nets.speakers.vectors'),)
  tuples = lambda name: (f'losses.speaker={dict(name=name, of=("views.q",))}',)
  c.claim = dict(
    metric='verification_eer', beats=('raw_input', 'random_init', 'triplet'), margin=0.05, lower=True,
    also=(dict(metric='verification_eer', beats=('softmax',), margin=0.005, lower=True),),
    variants=dict(
      softmax=(each('cross_entropy', logits='views.q'), logits),
      am_softmax=margin('am_softmax'),
      aam_softmax=margin('aam_softmax'),
      triplet=(f"losses.speaker={dict(name='triplet', of=('views.q', 'views.k'), pairs=((0, 1),), hardest=11, hard=0.5)}",),
      ge2e=('losses.speaker.name=ge2e',),
      prototypical=tuples('prototypical'),
    ),
  )  # fmt: skip
  return c
