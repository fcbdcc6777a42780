"""Every name that a config can use, as literal dicts: nothing registers itself, everything can be grepped."""

from jssl.data import images, nuisances, probing, text
from jssl.evaluators.protocols import PROTOCOLS
from jssl.models import bert, convnet, heads, mlp, pretrained, resnet, transformer, vit
from jssl.objectives import OBJECTIVES, dino_teacher, invariance, sinkhorn
from jssl.parts import memory, optimizers, schedules, teachers
from jssl.terms import denoising, difference, elastic, invariant, label_pairs, latent, masked, tokens, two_view
from jssl.transforms import TRANSFORMS
from jssl.views import columns, image
from jssl.views import text as text_views

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
  'bert': bert.Bert,
  'bert_from': pretrained.bert,
  'minilm': pretrained.minilm,
  'causal_lm': transformer.CausalLm,
  # heads
  'mlp': heads.Mlp,
  'linear': heads.Linear,
  'prototypes': heads.Prototypes,
  'dino_head': heads.Dino,
  'mae_decoder': heads.MaeDecoder,
  'ijepa_predictor': heads.IJepaPredictor,
  'pixel_head': heads.Pixels,
  'scale': heads.Scale,
  'decoder': transformer.Decoder,
  'token_decoder': transformer.TokenDecoder,
  'lm_head': transformer.LmHead,
}
VIEWS = {
  'augment': image.augment,
  'plain': image.plain,
  'columns': columns.columns,
  'twice': text_views.twice,
  'deleted': text_views.deleted,
  'mask_tokens': text_views.mask_tokens,
  'random_mask': image.random_mask,
  'beit_block_mask': image.beit_block_mask,
  'block_mask': image.block_mask,
}
DATA = {
  'mnist5k': images.mnist5k,
  'digits': images.digits,
  'tfds': images.tfds,
  'lee': text.lee,
  'rotten_tomatoes': text.rotten_tomatoes,
  'king_james': text.king_james,
  'occupations': probing.occupations,
  'code_or_prose': probing.code_or_prose,
  'lexicon': probing.lexicon,
  'coloured_digits': nuisances.coloured_digits,
}
TERMS = {
  'two_view': two_view.two_view,
  'masked': masked.masked,
  'inpainted': masked.inpainted,
  'latent': latent.latent,
  'regressed': latent.regressed,
  'masked_lm': tokens.masked_lm,
  'masked_autoencoder_lm': tokens.masked_autoencoder_lm,
  'difference': difference.difference,
  'denoising': denoising.denoising,
  'elastic': elastic.elastic,
  'label_pairs': label_pairs.label_pairs,
  'invariant': invariant.invariant,
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
# Weights of the two values of a nuisance that is partly missing.
ESTIMATORS = {
  'observed_only': invariance.observed_only,
  'inverse_propensity': invariance.inverse_propensity,
  'imputed': invariance.imputed,
  'doubly_robust': invariance.doubly_robust,
}
# A teacher's probabilities over prototypes, for the health panel.
ASSIGNMENTS = {'dino_teacher': dino_teacher, 'sinkhorn': sinkhorn}
TABLES = {
  'assignments': ASSIGNMENTS,
  'estimators': ESTIMATORS,
  'models': MODELS,
  'views': VIEWS,
  'data': DATA,
  'objectives': OBJECTIVES,
  'terms': TERMS,
  'teachers': TEACHERS,
  'memories': MEMORIES,
  'schedules': SCHEDULES,
  'optimizers': OPTIMIZERS,
  'transforms': TRANSFORMS,
  'evaluators': PROTOCOLS,
}
