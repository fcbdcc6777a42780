"""What a frozen teacher makes of an example, handed to a student that sees the same example."""

import jax.numpy as jnp

from jssl.parts.schedules import at
from jssl.types import Objective, Term, View, fold


def distilled(
  *,
  objective: Objective,
  view: View,
  student: tuple[str, ...] = ('backbone', 'student_projector'),
  teacher: tuple[str, ...] = ('teacher', 'teacher_projector'),
  critic: str | None = None,
) -> Term:
  """objective(q, k), q from the student's networks and k from the teacher's.

  The method's teacher rule says which networks are frozen, and when: those it teaches are read from the target. A
  projector on a frozen teacher that is not among them learns.

  Args:
    objective: (q: [b d], k: [b d]) -> [b] or scalar; with a critic (positive: [b], negatives: [b 1]) -> [b].
    view: one view of each example, the same for both.
    student: a backbone and the heads on it.
    teacher: the same of the teacher.
    critic: a network (k: [m d], q: [m d]) -> [m], which scores pairs. A student is paired with its own teacher, and
      with those of all other examples of the batch, whose mean score is its one negative.
  """

  def encode(nets, target, batch, keys):
    (x,) = view(fold(keys, 0), batch)

    def run(names, found):
      z = found[names[0]](x, keys=fold(keys, 1)).pooled
      for name in names[1:]:
        z = found[name](z)
      return z

    return {'q': run(student, nets), 'k': run(teacher, {**nets, **(target or {})})}

  def judge(nets, encoded, state, key, step):
    q, k = encoded['q'], encoded['k']
    if critic is None:
      return jnp.mean(at(objective, step)(q, k)), (state, {})
    b, scored = len(q), nets[critic]
    score = scored(jnp.tile(k, (b, 1)), jnp.repeat(q, b, 0)).reshape(b, b)  # [student teacher]
    positive = jnp.diagonal(score)
    negative = (jnp.sum(score, 1) - positive) / (b - 1)
    return jnp.mean(at(objective, step)(positive, negative[:, None])), (state, {'critic_gap': jnp.mean(positive - negative)})

  return Term(lambda key, encoded: {}, encode, judge)
