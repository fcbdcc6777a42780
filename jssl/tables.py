"""Every name that a config can use, as literal dicts: nothing registers itself, everything can be grepped."""

from jssl import memories
from jssl.data import (
  chains,
  cipher,
  clips,
  compose,
  contrasted,
  corridors,
  documents,
  environments,
  fact_tables,
  few_labels,
  few_reviews,
  gap_sentences,
  graphs,
  images,
  knowledge,
  mazes,
  molecules,
  news_documents,
  nuisances,
  passages,
  probing,
  reports,
  rollout,
  sentence_tasks,
  series,
  shapes,
  simlex,
  sound,
  text,
  thesaurus,
  unseen_books,
  voices,
  words,
)
from jssl.evaluators.protocols import PROTOCOLS
from jssl.metrics import METRICS
from jssl.models import (
  averaged,
  bert,
  coder,
  contextual,
  convnet,
  critic,
  cross,
  dan,
  dit,
  dynamics,
  embedding,
  gcn,
  grid,
  heads,
  mlp,
  pretrained,
  reporter,
  resnet,
  transformer,
  unet,
  vit,
)
from jssl.models import series as series_models
from jssl.objectives import OBJECTIVES, dino_teacher, invariance, sinkhorn
from jssl.objectives.compound import COMPOUND
from jssl.parts import guards, optimizers, schedules, teachers
from jssl.passes import PASSES
from jssl.refreshes import REFRESHES
from jssl.transforms import TRANSFORMS
from jssl.views import columns, gaps, graph, image, items, noise, rates, shifts, video
from jssl.views import series as series_views
from jssl.views import text as text_views
from jssl.views import tuples as tuple_views

MODELS = {
  'convnet': convnet.ConvNet,
  'coder': coder.Coder,
  'resnet18': resnet.resnet18,
  'resnet34': resnet.resnet34,
  'resnet50': resnet.resnet50,
  'vit': vit.ViT,
  'vit_micro': vit.vit_micro,
  'vit_hybrid_micro': vit.vit_hybrid_micro,
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
  'bert_averaged': averaged.AveragedBert,
  'contextual_bert': contextual.ContextualBert,
  'bert_from': pretrained.bert,
  'minilm': pretrained.minilm,
  'dit': dit.DiT,
  'frame_transformer': grid.frame_transformer,
  'tubelet_vit': grid.tubelet_vit,
  'tst': series_models.TST,
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
  'unet': unet.UNet,
  'dit_decoder': dit.DiTDecoder,
  'cross_decoder': cross.CrossDecoder,
  'reporter': reporter.Reporter,
  # control
  'action_code': dynamics.ActionCode,
  'joined': dynamics.Joined,
  'coded_q': dynamics.CodedQ,
  'action_sequence': dynamics.ActionSequence,
  'transition': dynamics.Transition,
  'timeline': dynamics.Timeline,
  'timeline_encoder': dynamics.TimelineEncoder,
  'chunk': dynamics.Chunk,
  'matrix': dynamics.Matrix,
  'flat': dynamics.Flat,
  # sentences
  'dan': dan.Dan,
  'compared': dan.Compared,
}
VIEWS = {
  'augment': image.augment,
  'plain': image.plain,
  'columns': columns.columns,
  'twice': text_views.twice,
  'deleted': text_views.deleted,
  'joined': text_views.joined,
  'whole_graph': graph.whole_graph,
  'corrupted_graph': graph.corrupted_graph,
  'draw': items.draw,
  'beside': items.beside,
  'shared': items.shared,
  'scaled': columns.scaled,
  'gapped': gaps.gapped,
  'random_shift': shifts.random_shift,
  'frames': video.frames,
  'geometric_future': series_views.geometric_future,
}
SAMPLERS = {
  'skip_gram': tuple_views.skip_gram,
  'surrounded': tuple_views.surrounded,
  'tree_path': tuple_views.tree_path,
  'tree_path_from_one': tuple_views.tree_path_from_one,
  'real_tokens': text_views.real_tokens,
  'ordered_places': text_views.ordered_places,
  'table_cells': text_views.table_cells,
}
MASKS = {
  'random_mask': image.random_mask,
  'beit_block_mask': image.beit_block_mask,
  'block_mask': image.block_mask,
  'tube_mask': video.tube_mask,
  'gap_mask': series_views.gap_mask,
}
TOKEN_MASKS = {'mask_tokens': text_views.mask_tokens, 'mask_uniformly': rates.mask_uniformly}
STEP_MASKS = {'markov_mask': series_views.markov_mask, 'random_steps': series_views.random_steps}
NOISE = {'cosine_noise': noise.cosine_noise, 'linear_noise': noise.linear_noise}
NEGATIVES = {'corrupted_triples': tuple_views.corrupted_triples}
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
  'subtopic_citations': documents.subtopic_citations,
  'citation_neighbours': documents.citation_neighbours,
  'lee': text.lee,
  'lee_documents': news_documents.lee_documents,
  'rotten_tomatoes': text.rotten_tomatoes,
  'contrasted_reviews': contrasted.contrasted_reviews,
  'king_james': text.king_james,
  'few_reviews': few_reviews.few_reviews,
  'occupations': probing.occupations,
  'code_or_prose': probing.code_or_prose,
  'simlex': simlex.simlex,
  'counted_words': thesaurus.counted_words,
  'coloured_digits': nuisances.coloured_digits,
  'shifted_digits': compose.shifted_digits,
  'mnist5k_glyphs': compose.mnist5k_glyphs,
  'mnist5k_few': few_labels.mnist5k_few,
  'voices': voices.voices,
  'moving_digits': clips.moving_digits,
  'shapes': shapes.shapes,
  'digit_reports': reports.digit_reports,
  'vowels': sound.vowels,
  'japanese_vowels': series.japanese_vowels,
  'chains': chains.chains,
  'mazes': mazes.mazes,
  'corridors': corridors.corridors,
  'king_james_passages': passages.king_james_passages,
  'king_james_cipher': cipher.king_james_cipher,
  'umls_tables': fact_tables.umls_tables,
  'lee_gaps': gap_sentences.lee_gaps,
  'solubility': molecules.solubility,
  # control
  'rooms': rollout.rooms,
  'demonstrations': rollout.demonstrations,
  'unseen_books': unseen_books.unseen_books,
  'sentence_tasks': sentence_tasks.sentence_tasks,
  'reviews_and_lee': compose.reviews_and_lee,
}
TEACHERS = {'ema': teachers.ema, 'frozen': teachers.frozen, 'periodic': teachers.periodic, 'copy': teachers.copy}
# Where policies play.
ENVIRONMENTS = {
  'four_rooms': environments.four_rooms,
  'point_mass': environments.point_mass,
  'combination_lock': environments.combination_lock,
}
MEMORIES = {
  'queue': memories.queue,
  'centre': memories.centre,
  'duals': memories.duals,
  'multipliers': memories.multipliers,
  'rows': memories.rows,
  'centroids': memories.centroids,
}
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
# A teacher's probabilities over prototypes by its objective, for the health panel.
ASSIGNMENTS = {'dino': dino_teacher, 'swav': sinkhorn}
TABLES = {
  'assignments': ASSIGNMENTS,
  'estimators': ESTIMATORS,
  'models': MODELS,
  'views': VIEWS,
  'samplers': SAMPLERS,
  'masks': MASKS,
  'token_masks': TOKEN_MASKS,
  'step_masks': STEP_MASKS,
  'noise': NOISE,
  'negatives': NEGATIVES,
  'data': DATA,
  'objectives': {**OBJECTIVES, **COMPOUND},
  'passes': PASSES,
  'metrics': METRICS,
  'refreshes': REFRESHES,
  'teachers': TEACHERS,
  'environments': ENVIRONMENTS,
  'memories': MEMORIES,
  'guards': GUARDS,
  'schedules': SCHEDULES,
  'optimizers': OPTIMIZERS,
  'transforms': TRANSFORMS,
  'evaluators': PROTOCOLS,
}
