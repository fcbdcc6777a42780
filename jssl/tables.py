"""Every name that a config can use, as literal dicts: nothing registers itself, everything can be grepped."""

from jssl.data import images
from jssl.evaluators.protocols import PROTOCOLS
from jssl.models import convnet, heads, mlp, resnet, vit
from jssl.objectives import OBJECTIVES, dino_teacher, sinkhorn
from jssl.parts import guards, memory, optimizers, schedules, teachers
from jssl.terms import latent, masked, two_view
from jssl.transforms import TRANSFORMS
from jssl.views import columns, image

MODELS = {
  'convnet': convnet.ConvNet,
  'resnet18': resnet.resnet18,
  'resnet34': resnet.resnet34,
  'resnet50': resnet.resnet50,
  'vit': vit.ViT,
  'vit_micro': vit.vit_micro,
  'vit_tiny': vit.vit_tiny,
  'vit_small': vit.vit_small,
  'vit_base': vit.vit_base,
  'vit_large': vit.vit_large,
  'mlp_backbone': mlp.Mlp,
  # heads
  'mlp': heads.Mlp,
  'linear': heads.Linear,
  'prototypes': heads.Prototypes,
  'dino_head': heads.Dino,
  'mae_decoder': heads.MaeDecoder,
  'ijepa_predictor': heads.IJepaPredictor,
  'pixel_head': heads.Pixels,
  'scale': heads.Scale,
}
VIEWS = {
  'augment': image.augment,
  'plain': image.plain,
  'columns': columns.columns,
  'random_mask': image.random_mask,
  'beit_block_mask': image.beit_block_mask,
  'block_mask': image.block_mask,
}
DATA = {'mnist5k': images.mnist5k, 'digits': images.digits, 'tfds': images.tfds}
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
GUARDS = {'stop': guards.stop, 'skip': guards.skip, 'roll_back': guards.roll_back}
OPTIMIZERS = {'adamw': optimizers.adamw, 'sgd': optimizers.sgd, 'lars': optimizers.lars, 'lamb': optimizers.lamb}
# A teacher's probabilities over prototypes, for the health panel.
ASSIGNMENTS = {'dino_teacher': dino_teacher, 'sinkhorn': sinkhorn}
TABLES = {
  'assignments': ASSIGNMENTS,
  'models': MODELS,
  'views': VIEWS,
  'data': DATA,
  'objectives': OBJECTIVES,
  'terms': TERMS,
  'teachers': TEACHERS,
  'memories': MEMORIES,
  'guards': GUARDS,
  'schedules': SCHEDULES,
  'optimizers': OPTIMIZERS,
  'transforms': TRANSFORMS,
  'evaluators': PROTOCOLS,
}
