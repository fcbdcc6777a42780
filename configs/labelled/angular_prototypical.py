"""Angular prototypical loss. Chung et al., In defence of metric learning for speaker recognition, Interspeech 2020. arXiv:2003.11982."""

from jssl.configs import common


def get_config():
  c = common.base(data='voices', batch_size=80, epochs=75)
  c.number = 116
  c.kind = 'supervised'
  c.backbone = dict(name='convnet', widths=(64, 64, 64))
  c.view = dict(name='draw', column='utterances', views=2, frames=24)
  c.heads = dict(
    projector=dict(name='linear', dim=32),
    scale=dict(name='scale', init=10.0),
    speakers=dict(name='prototypes', k=160, on='projector'),
    classifier=dict(name='linear', dim=160, on='projector'),
  )
  c.terms.speaker = dict(name='multi_view', objective=dict(name='angular_prototypical'), scalars=dict(scale='scale'))
  c.evaluators = dict(verification=dict(name='verification'))
  classified, objective = 'terms.speaker.name=classified', 'terms.speaker.objective.name='
  logits = "terms.speaker.heads=('projector', 'classifier')"
  margin = (classified, "terms.speaker.heads=('projector',)", 'terms.speaker.prototypes=speakers')
  given = lambda name: f"terms.speaker.objective={{'name': '{name}'}}"  # a new term has no objective yet
  c.claim = dict(
    metric='verification_eer', beats=('raw_input', 'random_init', 'triplet'), margin=0.05, lower=True, seeds=3,
    also=(dict(metric='verification_eer', beats=('softmax',), margin=0.0, lower=True),),
    variants=dict(
      softmax=(classified, given('softmax_cross_entropy'), logits),
      am_softmax=(*margin, given('am_softmax')),
      aam_softmax=(*margin, given('aam_softmax')),
      triplet=('terms.speaker.name=two_view', given('triplet'), 'terms.speaker.pairs=((0, 1),)'),
      ge2e=(objective + 'ge2e',),
      prototypical=(objective + 'prototypical', 'terms.speaker.scalars=None'),
    ),
  )  # fmt: skip
  return c
