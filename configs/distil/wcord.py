"""WCoRD. Chen, Wang, Gan, Liu, Henao, Carin, CVPR 2021. arXiv:2012.08674, section 3.

The teacher learns from all labels in the first quarter of the run. It is then frozen, and the student, which knows ten
labels a class, learns from it.
"""

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = common.image(scale, batch_size=64, epochs=1)
  c.data = dict(name='few', of=dict(name='mnist5k'))
  c.number = 78
  c.parts = (
    'teacher trained with all labels, then frozen; the student is trained with ten labels a class',
    'global transfer, dual form: score of matching pairs minus the mean of the others in the batch (paper: their sum, from memory), weight 1',
    'critic on linear projections to 32 of unit length, every layer divided by its largest singular value',
    'local transfer, primal form: optimal transport in the batch, cost 1 - cosine, entropic plan without gradient, weight 1',
    'cross-entropy of the student on its labels; labels alone, without the teacher, as the baseline',
    dict(part='negatives from a memory of all examples', out='open', why='the other examples of the batch'),
    'rivals: labels alone, distillation of logits at temperature 4, and contrast in the batch at temperature 0.07, as CRD without its memory',
    dict(part='either transfer alone; CRD with negatives from a memory', out='open', why='no row runs them'),
    dict(part='privileged information, cross-modal transfer', out='open', why='compression alone'),
    dict(part='CIFAR-100 and ImageNet', out='data', why='no package ships them; MNIST'),
    dict(part='pairs of residual, VGG and mobile networks, 240 epochs', out='scale', why='a convnet and a perceptron of one layer'),
  )
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
  # The teacher's logits of the same image, in the place of its scores.
  logits = dict(name='embed', view=plain, towers='teacher', heads=('teacher_classifier',))
  soft = dict(name='kl_logits', of=('labelled.q[0]', 'soft.q[0]'), temperature=4.0)
  contrast = dict(name='info_nce', of=('student.q[0]', 'told.q[0]'), temperature=0.07)
  no_local = 'losses.local.weight=0.0'
  c.claim = dict(
    metric='classify_top1', beats=('random_init', 'labels_only', 'logits', 'contrast'), margin=0.005, without='labels_only',
    variants=dict(
      labels_only=('losses.whole.weight=0.0', no_local),
      logits=(f'passes.soft={logits}', f'losses.whole={soft}', no_local),
      contrast=(f'losses.whole={contrast}', no_local),
    ),
  )  # fmt: skip
  return c
