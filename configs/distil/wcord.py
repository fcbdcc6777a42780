"""WCoRD. Chen, Wang, Gan, Liu, Henao, Carin, CVPR 2021. arXiv:2012.08674, section 3.

The teacher learns from all labels in the first half of the run. Its copy is then frozen, and the student, which knows ten
labels a class, learns from the copy.
"""

from jssl.configs import common


def get_config():
  c = common.image(data='mnist5k_few', batch_size=64, epochs=1)
  c.number = 78
  c.kind = 'supervised'
  c.steps, half = 1280, 320
  c.backbone = dict(name='mlp_backbone', widths=(64,))
  c.heads = dict(
    classifier=dict(name='linear', dim=10),
    student_projector=dict(name='linear', dim=32),
    teacher=dict(name='convnet', widths=(16, 32, 64, 64), on='data.image'),
    teacher_classifier=dict(name='linear', dim=10, on='teacher'),
    teacher_projector=dict(name='linear', dim=32, on='teacher'),
    critic=dict(name='critic', widths=(64,), on='student_projector'),
  )
  c.teacher = dict(name='periodic', every=half, networks=('teacher', 'teacher_classifier'))
  first = lambda x: dict(name='switch', before=x, after=0.0, at='25%')
  then = lambda x: dict(name='switch', before=0.0, after=x, at='25%')
  view, plain = {**c.view.to_dict(), 'views': 1}, dict(name='plain')
  c.terms = dict(
    teacher=dict(
      name='classified', objective=dict(name='softmax_cross_entropy'), view=view, encoder='teacher',
      heads=('teacher_classifier',), weight=first(1.0),
    ),
    task=dict(name='classified', objective=dict(name='known_cross_entropy'), view=plain, label='few', weight=then(1.0)),
    whole=dict(name='distilled', objective=dict(name='wcord_global'), view=plain, critic='critic', weight=then(1.0)),
    local=dict(name='distilled', objective=dict(name='wcord_local'), view=plain, weight=then(1.0)),
  )  # fmt: skip
  c.evaluators = dict(classify=dict(name='classify'))
  c.claim = dict(metric='classify_top1', beats=('random_init', 'labels_only'), margin=0.005, seeds=3,
                 variants=dict(labels_only=('terms.whole.weight=0.0', 'terms.local.weight=0.0')))  # fmt: skip
  return c
