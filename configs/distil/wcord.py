"""WCoRD. Chen, Wang, Gan, Liu, Henao, Carin, CVPR 2021. arXiv:2012.08674, section 3.

The teacher learns from all labels in the first half of the run. Its copy is then frozen, and the student, which knows ten
labels a class, learns from the copy.
"""

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = common.image(scale, batch_size=64, epochs=1)
  c.data = dict(name='few', of=dict(name='mnist5k'))
  c.number = 78
  c.kind = 'supervised'
  c.steps = at(small=1280, tiny=8)
  c.backbone = dict(name='mlp_backbone', widths=at(small=(64,), tiny=(16, 8)))
  c.heads = dict(
    classifier=dict(name='linear', dim='data.label.size'),
    student_projector=dict(name='linear', dim=32),
    teacher=dict(name='convnet', widths=(16, 32, 64, 64), on='data.image'),
    teacher_classifier=dict(name='linear', dim='data.label.size', on='teacher'),
    teacher_projector=dict(name='linear', dim=32, on='teacher'),
    critic=dict(name='critic', widths=(64,), on='student_projector'),
  )
  view, plain = {**c.view.to_dict(), 'views': 1}, dict(name='plain')
  c.passes = dict(
    taught=dict(name='embed', view=view, towers='teacher', heads=('teacher_classifier',)),
    labelled=dict(name='embed', view=plain, heads=('classifier',)),
    student=dict(name='embed', view=plain, heads=('student_projector',)),
    told=dict(name='embed', view=plain, towers='teacher', heads=('teacher_projector',)),
    pairs=dict(name='cross', network='critic', each='student.q[0]', all='whole.told.q[0]'),
  )
  c.losses = dict(
    teacher=dict(name='cross_entropy', of=dict(logits='taught.q[0]', labels='batch.label')),
    task=dict(name='known_cross_entropy', of=dict(logits='labelled.q[0]', labels='batch.few')),
    whole=dict(name='wcord_scores', of=('pairs.scores',)),
    local=dict(name='wcord_local', of=('student.q[0]', 'told.q[0]')),
  )
  c.phases = (
    dict(steps='25%', losses=('teacher',)),
    dict(losses=('task', 'whole', 'local'), freeze=('teacher', 'teacher_classifier')),
  )
  c.evaluators = dict(classify=dict(name='classify'))
  c.claim = dict(metric='classify_top1', beats=('random_init', 'labels_only'), margin=0.005,
                 variants=dict(labels_only=('losses.whole.weight=0.0', 'losses.local.weight=0.0')))  # fmt: skip
  return c
