"""Every name that a config can use, as literal dicts: nothing registers itself, everything can be grepped."""

from jssl.data import compose, documents, graphs, images, knowledge, nuisances, probing, text, voices, words
from jssl.evaluators.protocols import PROTOCOLS
from jssl.models import bert, convnet, critic, embedding, gcn, heads, mlp, pretrained, resnet, transformer, vit
from jssl.objectives import OBJECTIVES, dino_teacher, invariance, sinkhorn
from jssl.parts import guards, memory, optimizers, schedules, teachers
from jssl.terms import (
  distil,
  elastic,
  invariant,
  label_pairs,
  labelled,
  latent,
  masked,
  multi_view,
  sentence,
  tokens,
  tuples,
  two_view,
)
from jssl.transforms import TRANSFORMS
from jssl.views import columns, graph, image, items
from jssl.views import text as text_views
from jssl.views import tuples as tuple_views

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
  'gcn': gcn.Gcn,
  'embedding': embedding.Embedding,
  'embedding_bag': embedding.EmbeddingBag,
  'causal_lm': transformer.CausalLm,
  'bert': bert.Bert,
  'bert_from': pretrained.bert,
  'minilm': pretrained.minilm,
  # heads
  'mlp': heads.Mlp,
  'linear': heads.Linear,
  'prototypes': heads.Prototypes,
  'dino_head': heads.Dino,
  'mae_decoder': heads.MaeDecoder,
  'ijepa_predictor': heads.IJepaPredictor,
  'pixel_head': heads.Pixels,
  'scale': heads.Scale,
  'table': embedding.Table,
  # relations of a knowledge graph
  'transe': embedding.transe,
  'distmult': embedding.distmult,
  'bilinear': embedding.bilinear,
  'complex': embedding.complex_,
  'rotate': embedding.rotate,
  'decoder': transformer.Decoder,
  'token_decoder': transformer.TokenDecoder,
  'lm_head': transformer.LmHead,
  'critic': critic.Critic,
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
  'whole_graph': graph.whole_graph,
  'corrupted_graph': graph.corrupted_graph,
  'corrupted_triples': tuple_views.corrupted_triples,
  'skip_gram': tuple_views.skip_gram,
  'surrounded': tuple_views.surrounded,
  'tree_path': tuple_views.tree_path,
  'tree_path_from_one': tuple_views.tree_path_from_one,
  'draw': items.draw,
  'beside': items.beside,
  'shared': items.shared,
}
DATA = {
  'mnist5k': images.mnist5k,
  'digits': images.digits,
  'tfds': images.tfds,
  'blocks': graphs.blocks,
  'nations': knowledge.nations,
  'kinships': knowledge.kinships,
  'umls': knowledge.umls,
  'words': words.words,
  'citations': documents.citations,
  'citation_neighbours': documents.citation_neighbours,
  'lee': text.lee,
  'rotten_tomatoes': text.rotten_tomatoes,
  'king_james': text.king_james,
  'occupations': probing.occupations,
  'code_or_prose': probing.code_or_prose,
  'lexicon': probing.lexicon,
  'coloured_digits': nuisances.coloured_digits,
  'shifted_digits': compose.shifted_digits,
  'mnist5k_glyphs': compose.mnist5k_glyphs,
  'voices': voices.voices,
}
TERMS = {
  'two_view': two_view.two_view,
  'masked': masked.masked,
  'inpainted': masked.inpainted,
  'latent': latent.latent,
  'regressed': latent.regressed,
  'masked_lm': tokens.masked_lm,
  'masked_autoencoder_lm': tokens.masked_autoencoder_lm,
  'difference': sentence.difference,
  'denoising': sentence.denoising,
  'elastic': elastic.elastic,
  'label_pairs': label_pairs.label_pairs,
  'triples': tuples.triples,
  'look_up': tuples.look_up,
  'triplets': tuples.triplets,
  'invariant': invariant.invariant,
  'multi_view': multi_view.multi_view,
  'classified': labelled.classified,
  'distilled': distil.distilled,
}
TEACHERS = {'ema': teachers.ema, 'frozen': teachers.frozen, 'periodic': teachers.periodic, 'copy': teachers.copy}
MEMORIES = {'queue': memory.queue, 'centre': memory.centre}
SCHEDULES = {
  'constant': schedules.constant,
  'linear': schedules.linear,
  'cosine': schedules.cosine,
  'rise': schedules.rise,
  'switch': schedules.switch,
}
GUARDS = {'stop': guards.stop, 'skip': guards.skip, 'roll_back': guards.roll_back}
OPTIMIZERS = {
  'adamw': optimizers.adamw,
  'sgd': optimizers.sgd,
  'lars': optimizers.lars,
  'lamb': optimizers.lamb,
  'adagrad': optimizers.adagrad,
}
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
  'guards': GUARDS,
  'schedules': SCHEDULES,
  'optimizers': OPTIMIZERS,
  'transforms': TRANSFORMS,
  'evaluators': PROTOCOLS,
}
