"""Every name that a config can use, as literal dicts: nothing registers itself, everything can be grepped."""

from jssl.data import images
from jssl.evaluators.protocols import PROTOCOLS
from jssl.models import convnet, heads, mlp, resnet, vit
from jssl.objectives import OBJECTIVES
from jssl.parts import memory, optimizers, schedules, teachers
from jssl.terms import latent, masked, two_view
from jssl.views import columns, image

TERMS = {
  'two_view': two_view.two_view,
  'masked': masked.masked,
  'inpainted': masked.inpainted,
  'latent': latent.latent,
  'regressed': latent.regressed,
}
TEACHERS = {'ema': teachers.ema, 'frozen': teachers.frozen, 'periodic': teachers.periodic, 'copy': teachers.copy}
MEMORIES = {'queue': memory.queue, 'centre': memory.centre}
SCHEDULES = {
  'constant': schedules.constant,
  'linear': schedules.linear,
  'cosine': schedules.cosine,
  'rise': schedules.rise,
}
OPTIMIZERS = {'adamw': optimizers.adamw, 'sgd': optimizers.sgd, 'lars': optimizers.lars, 'lamb': optimizers.lamb}
TABLES = {
  'objectives': OBJECTIVES,
  'terms': TERMS,
  'teachers': TEACHERS,
  'memories': MEMORIES,
  'schedules': SCHEDULES,
  'optimizers': OPTIMIZERS,
  'evaluators': PROTOCOLS,
}
