"""All names that a config can use, as literal tables of their locations: nothing registers itself, and all names can be found with grep.

'nt_xent': 'contrastive:nt_xent' stands for `nt_xent` of jssl/objectives/contrastive.py, which is imported on first use. A name with a colon
refers to user code: 'my_package.losses:hinge' is `hinge` of that module.

One file, since it serves as an index, for readers and for grep.
"""

import importlib
from collections.abc import Iterator, MutableMapping
from typing import Any

from jssl.modules import OwnData, own_name


class Table(MutableMapping[str, Any]):
  """The entries of one kind by name.

  Args:
    room: the package of the entries.
    entries: name -> 'module:attribute' within it.
    wrap: 'module:attribute' within it of a function applied to every entry.
  """

  def __init__(self, room: str, entries: dict[str, Any], wrap: str | None = None):
    self.room, self.wrap, self._entries = room, wrap, entries

  def __getitem__(self, name: str) -> Any:
    """The entry. Raises KeyError for an unknown name, ImportError or AttributeError if its module or attribute is missing."""
    entry = self._entries.get(name, name if own_name(name) else None)
    if entry is None:
      raise KeyError(name)
    if isinstance(entry, str):  # the name itself is a user's own
      module, _, attribute = entry.partition(':')
      entry = getattr(importlib.import_module(module if entry == name else f'jssl.{self.room}.{module}'), attribute)
    if self.wrap:
      module, _, attribute = self.wrap.partition(':')
      entry = getattr(importlib.import_module(f'jssl.{self.room}.{module}'), attribute)(entry)
    return entry

  def __setitem__(self, name: str, entry: Any) -> None:
    self._entries[name] = entry

  def __delitem__(self, name: str) -> None:
    del self._entries[name]

  def __contains__(self, name: object) -> bool:
    return isinstance(name, str) and (name in self._entries or own_name(name))

  def __iter__(self) -> Iterator[str]:
    return iter(self._entries)

  def __len__(self) -> int:
    return len(self._entries)


class Sources(OwnData, Table):
  """Data sets by name, and user data by location: 'folder:photos', 'tar:shards/*.tar', 'pairs.jsonl'."""


MODELS = Table(
  'models',
  {
    'convnet': 'vision.convnet:ConvNet',
    'coder': 'vision.coder:Coder',
    'convnext': 'vision.convnext:ConvNeXt',
    'convnext_tiny': 'vision.convnext:convnext_tiny',
    'convnext_small': 'vision.convnext:convnext_small',
    'convnext_base': 'vision.convnext:convnext_base',
    'convnextv2_tiny': 'vision.convnext:convnextv2_tiny',
    'convnextv2_base': 'vision.convnext:convnextv2_base',
    'resnet': 'vision.resnet:ResNet',
    'resnet18': 'vision.resnet:resnet18',
    'resnet34': 'vision.resnet:resnet34',
    'resnet50': 'vision.resnet:resnet50',
    'resnet101': 'vision.resnet:resnet101',
    'resnet152': 'vision.resnet:resnet152',
    'swin': 'vision.swin:Swin',
    'swin_tiny': 'vision.swin:swin_tiny',
    'swin_small': 'vision.swin:swin_small',
    'swin_base': 'vision.swin:swin_base',
    'vit': 'vision.vit:ViT',
    'vit_micro': 'vision.vit:vit_micro',
    'vit_hybrid_micro': 'vision.vit:vit_hybrid_micro',
    'vit_tiny': 'vision.vit:vit_tiny',
    'vit_small': 'vision.vit:vit_small',
    'vit_base': 'vision.vit:vit_base',
    'vit_large': 'vision.vit:vit_large',
    'vit_huge': 'vision.vit:vit_huge',
    'vit_giant': 'vision.vit:vit_giant',
    'mlp_backbone': 'vision.mlp:Mlp',
    'gcn': 'graph.gcn:Gcn',
    'embedding': 'words.embedding:Embedding',
    'embedding_bag': 'words.embedding:EmbeddingBag',
    'causal_lm': 'text.transformer:CausalLm',
    'llama': 'text.llama:Llama',
    'bert': 'text.bert:Bert',
    'bert_averaged': 'text.averaged:AveragedBert',
    'contextual_bert': 'text.contextual:ContextualBert',
    'modernbert': 'text.modernbert:ModernBert',
    'text_tower': 'text.tower:TextTower',
    'from_folder': 'pretrained.family:from_folder',
    'head_from_folder': 'pretrained.family:head_from_folder',
    'bert_from': 'pretrained.bert:bert',
    'gpt2': 'pretrained.gpt2:sized',
    'gpt2_from': 'pretrained.gpt2:gpt2',
    'minilm': 'pretrained.bert:minilm',
    'masked_lm_start': 'pretrained.starts:masked_lm',
    'masked_lm_head_start': 'pretrained.starts:masked_lm_head',
    'causal_lm_start': 'pretrained.starts:causal_lm',
    'image_encoder_start': 'pretrained.starts:image_encoder',
    'dit': 'vision.dit:DiT',
    'frame_transformer': 'vision.grid:frame_transformer',
    'tubelet_vit': 'vision.grid:tubelet_vit',
    'tst': 'series.tst:TST',
    'wav2vec': 'audio.wav2vec:Wav2Vec',
    'wav2vec_micro': 'audio.wav2vec:wav2vec_micro',
    'wav2vec_base': 'audio.wav2vec:wav2vec_base',
    'wav2vec_large': 'audio.wav2vec:wav2vec_large',
    'mlp': 'heads.projection:ProjectionMlp',
    'linear': 'heads.projection:Linear',
    'prototypes': 'heads.prototypes:Prototypes',
    'dino_head': 'heads.prototypes:DinoHead',
    'mae_decoder': 'heads.masked:MaeDecoder',
    'ijepa_predictor': 'heads.masked:IJepaPredictor',
    'pixel_head': 'heads.masked:Pixels',
    'scale': 'heads.scale:Scale',
    'table': 'words.embedding:Table',
    'transe': 'words.embedding:transe',
    'distmult': 'words.embedding:distmult',
    'bilinear': 'words.embedding:bilinear',
    'complex': 'words.embedding:complex_',
    'rotate': 'words.embedding:rotate',
    't5': 'text.t5:T5',
    't5_encoder': 'text.t5:T5Encoder',
    'decoder': 'text.transformer:Decoder',
    'token_decoder': 'text.transformer:TokenDecoder',
    'lm_head': 'text.transformer:LmHead',
    'critic': 'heads.critic:Critic',
    'unet': 'vision.unet:UNet',
    'dit_decoder': 'vision.dit:DiTDecoder',
    'cross_decoder': 'vision.cross_decoder:CrossDecoder',
    'masked_text_decoder': 'text.masked_text_decoder:MaskedTextDecoder',
    'action_embedding': 'control.dynamics:ActionEmbedding',
    'state_action_mlp': 'control.dynamics:StateActionMlp',
    'coded_q': 'control.dynamics:CodedQ',
    'action_sequence': 'control.dynamics:ActionSequence',
    'transition': 'control.dynamics:Transition',
    'window_transformer': 'control.dynamics:WindowTransformer',
    'timeline_encoder': 'control.dynamics:TimelineEncoder',
    'action_decoder': 'control.dynamics:ActionDecoder',
    'matrix': 'control.dynamics:Matrix',
    'flat': 'control.dynamics:Flat',
    'dan': 'text.dan:Dan',
    'compared': 'heads.compared:Compared',
  },
)

# Families of weights that can be read and written: `model_type` of config.json, with the part of a folder of several networks after a colon, or
# 'timm/' and a prefix of `architecture`.
FAMILIES = Table(
  'models.pretrained',
  {
    'bert': 'bert:FAMILY',
    'camembert': 'bertlike:CAMEMBERT',
    'clip:text': 'clip_text:CLIP',
    'clip:vision': 'vision_towers:CLIP_FAMILY',
    'clip_text_model': 'clip_text:CLIP_TEXT',
    'clip_vision_model': 'vision_towers:CLIP_FAMILY',
    'convnext': 'convnext:FAMILY',
    'convnextv2': 'convnext:FAMILY_V2',
    'data2vec-audio': 'wav2vec:DATA2VEC',
    'dinov2': 'vision:DINOV2_FAMILY',
    'dinov2_with_registers': 'vision:REGISTERS_FAMILY',
    'dinov3_vit': 'vision:DINOV3_FAMILY',
    'distilbert': 'bertlike:DISTILBERT',
    'electra': 'bertlike:ELECTRA',
    'gpt2': 'gpt2:FAMILY',
    'hubert': 'wav2vec:HUBERT',
    'llama': 'llama:LLAMA',
    'mistral': 'llama:MISTRAL',
    'modernbert': 'modernbert:FAMILY',
    'mpnet': 'bertlike:MPNET',
    'mt5': 't5:MT5_FAMILY',
    'mt5:encoder': 't5:MT5_ENCODER',
    'qwen2': 'llama:QWEN2',
    'qwen3': 'llama:QWEN3',
    'resnet': 'resnet:FAMILY',
    'roberta': 'bertlike:ROBERTA',
    'siglip:text': 'clip_text:SIGLIP',
    'siglip:vision': 'vision_towers:SIGLIP_FAMILY',
    'siglip_text_model': 'clip_text:SIGLIP_TEXT',
    'siglip_vision_model': 'vision_towers:SIGLIP_FAMILY',
    'swin': 'swin:FAMILY',
    't5': 't5:T5_FAMILY',
    't5:encoder': 't5:T5_ENCODER',
    'timm/convnext': 'convnext:TIMM',
    'timm/convnextv': 'convnext:TIMM_V2',  # convnextv2_tiny
    'timm/resnet': 'resnet:TIMM',
    'timm/swin': 'swin:TIMM',
    'timm/vit': 'vision_timm:FAMILY',
    'vit': 'vision:VIT_FAMILY',
    'vit_mae': 'vision:MAE_FAMILY',
    'wav2vec2': 'wav2vec:WAV2VEC2',
    'xlm-roberta': 'bertlike:XLM_ROBERTA',
  },
)
VIEWS = Table(
  'views',
  {
    'augment': 'image:augment',
    'plain': 'image:plain',
    'columns': 'columns:columns',
    'duplicate': 'text:duplicate',
    'deleted': 'text:deleted',
    'joined': 'text:joined',
    'whole_graph': 'graph:whole_graph',
    'corrupted_graph': 'graph:corrupted_graph',
    'sample_items': 'items:sample_items',
    'with_columns': 'items:with_columns',
    'grouped': 'items:grouped',
    'scaled': 'columns:scaled',
    'gapped_patches': 'gaps:gapped_patches',
    'random_shift': 'shifts:random_shift',
    'frames': 'video:frames',
    'geometric_future': 'series:geometric_future',
    'standardized_waves': 'waveforms:standardized_waves',
  },
)
# Samplers of arrays other than views: ids to look up, positions, cells.
SAMPLERS = Table(
  'views',
  {
    'skip_gram': 'words:skip_gram',
    'cbow_context': 'words:cbow_context',
    'huffman_path': 'words:huffman_path',
    'huffman_path_from_one': 'words:huffman_path_from_one',
    'real_tokens': 'text:real_tokens',
    'ordered_places': 'text:ordered_places',
    'table_cells': 'text:table_cells',
  },
)
# Masks over the patches of a grid.
MASKS = Table(
  'masks',
  {
    'random_mask': 'patches:random_mask',
    'beit_block_mask': 'patches:beit_block_mask',
    'block_mask': 'patches:block_mask',
    'tube_mask': 'video:tube_mask',
    'gap_mask': 'series:gap_mask',
  },
)
# Masks over token ids.
TOKEN_MASKS = Table(
  'masks',
  {
    'mask_tokens': 'tokens:mask_tokens',
    'mask_uniformly': 'tokens:mask_uniformly',
  },
)
# Masks over the steps of a series.
STEP_MASKS = Table(
  'masks',
  {
    'markov_mask': 'series:markov_mask',
    'random_steps': 'series:random_steps',
  },
)
NOISE = Table(
  'noise',
  {
    'cosine_noise': 'diffusion:cosine_noise',
    'linear_noise': 'diffusion:linear_noise',
  },
)
NEGATIVES = Table(
  'negatives',
  {
    'corrupted_triples': 'triples:corrupted_triples',
  },
)
DATA = Sources(
  'data',
  {
    'mnist5k': 'vision.images:mnist5k',
    'digits': 'vision.images:digits',
    'fashion_mnist': 'vision.fashion:fashion_mnist',
    'tfds': 'vision.images:tfds',
    'blocks': 'graph.blocks:blocks',
    'nations': 'graph.knowledge:nations',
    'kinships': 'graph.knowledge:kinships',
    'umls': 'graph.knowledge:umls',
    'words': 'words.corpora:words',
    'citations': 'retrieval.citations:citations',
    'subtopic_citations': 'retrieval.citations:subtopic_citations',
    'citation_neighbours': 'retrieval.citations:citation_neighbours',
    'lee': 'text.corpora:lee',
    'lee_documents': 'text.news_documents:lee_documents',
    'rotten_tomatoes': 'text.corpora:rotten_tomatoes',
    'contrasted_reviews': 'text.contrasted:contrasted_reviews',
    'king_james': 'text.corpora:king_james',
    'english': 'text.english:english',
    'few_reviews': 'text.few_reviews:few_reviews',
    'occupations': 'text.probing:occupations',
    'code_or_prose': 'text.probing:code_or_prose',
    'simlex': 'text.simlex:simlex',
    'counted_words': 'words.thesaurus:counted_words',
    'coloured_digits': 'vision.coloured_digits:coloured_digits',
    'shifted_digits': 'multimodal.shifted_digits:shifted_digits',
    'mnist5k_glyphs': 'vision.outside:mnist5k_glyphs',
    'few': 'core.operators:few',
    'subset': 'core.operators:subset',
    'noised': 'core.operators:noised',
    'memory': 'core.memory:memory',
    'development': 'core.roles:development',
    'final': 'core.roles:final',
    'voices': 'audio.voices:voices',
    'moving_digits': 'video.moving_digits:moving_digits',
    'shapes': 'vision.shapes:shapes',
    'digit_scenes': 'vision.digit_scenes:digit_scenes',
    'digit_reports': 'multimodal.digit_reports:digit_reports',
    'digit_captions': 'multimodal.digit_captions:digit_captions',
    'vowels': 'audio.vowels:vowels',
    'japanese_vowels': 'series.japanese_vowels:japanese_vowels',
    'chains': 'preference.chains:chains',
    'mazes': 'text.mazes:mazes',
    'corridors': 'text.corridors:corridors',
    'king_james_passages': 'retrieval.passages:king_james_passages',
    'king_james_cipher': 'retrieval.cipher:king_james_cipher',
    'umls_tables': 'tables.umls:umls_tables',
    'lee_gaps': 'text.gap_sentences:lee_gaps',
    'solubility': 'molecules.solubility:solubility',
    'rooms': 'control.rollouts:rooms',
    'demonstrations': 'control.rollouts:demonstrations',
    'unseen_books': 'retrieval.unseen_books:unseen_books',
    'sentence_tasks': 'text.sentence_tasks:sentence_tasks',
    'reviews_and_lee': 'text.reviews_and_lee:reviews_and_lee',
  },
  own={
    'folder': 'own.folder:folder',
    'tar': 'own.tars:tar',
    'hf': 'own.hub:hub',
    'tfds': 'vision.images:tfds',
    'packed': 'own.packed:packed',
    'graph': 'own.graph:graph',
    'triples': 'own.triples:triples',
    'series': 'own.series:series',
    '.ts': 'own.series:series',
    '.jsonl': 'own.tables:table',
    '.csv': 'own.tables:table',
    '.tsv': 'own.tables:table',
    '.smi': 'own.tables:table',
    '.parquet': 'own.tables:table',
    '.npy': 'own.arrays:array',
    '.npz': 'own.arrays:array',
  },
)
OBJECTIVES = Table(
  'objectives',
  {
    'nt_xent': 'contrastive:nt_xent',
    'info_nce': 'contrastive:info_nce',
    'info_nce_queue': 'contrastive:info_nce_queue',
    'dense_info_nce': 'dense:dense_info_nce',
    'filtered_info_nce': 'contrastive:filtered_info_nce',
    'sup_con': 'contrastive:sup_con',
    'nnclr': 'contrastive:nnclr',
    'dcl': 'contrastive:dcl',
    'debiased': 'contrastive:debiased',
    'siglip': 'contrastive:siglip',
    'spectral_contrastive': 'contrastive:spectral_contrastive',
    'alignment': 'uniformity:alignment',
    'uniformity': 'uniformity:uniformity',
    'align_uniform': 'uniformity:align_uniform',
    'koleo': 'uniformity:koleo',
    'in_batch_softmax': 'contrastive:in_batch_softmax',
    'barlow_twins': 'redundancy:barlow_twins',
    'vicreg': 'redundancy:vicreg',
    'vicreg_local': 'dense:vicreg_local',
    'variance': 'redundancy:variance',
    'covariance': 'redundancy:covariance',
    'w_mse': 'redundancy:w_mse',
    'tico': 'redundancy:tico',
    'swav': 'clustering:swav',
    'dino': 'clustering:dino',
    'msn': 'clustering:msn',
    'deep_cluster': 'clustering:deep_cluster',
    'negative_cosine': 'prediction:negative_cosine',
    'byol': 'prediction:byol',
    'smooth_l1': 'prediction:smooth_l1',
    'latent_l2': 'prediction:latent_l2',
    'latent_l1': 'prediction:latent_l1',
    'masked_mse': 'reconstruction:masked_mse',
    'masked_l1': 'reconstruction:masked_l1',
    'poly_view_geometric': 'multi_view:poly_view_geometric',
    'poly_view_arithmetic': 'multi_view:poly_view_arithmetic',
    'poly_view_statistics': 'multi_view:poly_view_statistics',
    'care': 'equivariance:care',
    'symile': 'multi_view:symile',
    'pairwise_info_nce': 'multi_view:pairwise_info_nce',
    'non_negative': 'non_negative:non_negative',
    'patch_discrimination': 'multi_view:patch_discrimination',
    'patch_similarity': 'multi_view:patch_similarity',
    'simcse': 'contrastive_text:simcse',
    'kl_align': 'multi_view:kl_align',
    'bidirectional_margin': 'contrastive_text:bidirectional_margin',
    'token_cross_entropy': 'sequence:token_cross_entropy',
    'replaced_token_detection': 'sequence:replaced_token_detection',
    'codebook_cross_entropy': 'sequence:codebook_cross_entropy',
    'masked_value_mse': 'sequence:masked_value_mse',
    'bradley_terry': 'preference:bradley_terry',
    'binary_preference': 'preference:binary_preference',
    'goal_contrast': 'preference:goal_contrast',
    'dpo': 'preference:dpo',
    'cdpo': 'preference:cdpo',
    'robust_dpo': 'preference:robust_dpo',
    'ipo': 'preference:ipo',
    'slic': 'preference:slic',
    'rrhf': 'preference:rrhf',
    'kto': 'preference:kto',
    'kto_unpaired': 'preference:kto_unpaired',
    'orpo': 'preference:orpo',
    'simpo': 'preference:simpo',
    'ppo_clip': 'preference:ppo_clip',
    'prototypical': 'metric:prototypical',
    'paired_cross_entropy': 'classification:paired_cross_entropy',
    'first_cross_entropy': 'classification:first_cross_entropy',
    'angular_prototypical': 'metric:angular_prototypical',
    'ge2e': 'metric:ge2e',
    'triplet': 'metric:triplet',
    'euclidean_triplet': 'metric:euclidean_triplet',
    'cross_entropy': 'classification:cross_entropy',
    'am_softmax': 'classification:am_softmax',
    'aam_softmax': 'classification:aam_softmax',
    'known_cross_entropy': 'classification:known_cross_entropy',
    'cores': 'classification:cores',
    'edl': 'classification:edl',
    'i_edl': 'classification:i_edl',
    'cosine_regression': 'similarity:cosine_regression',
    'cosent': 'similarity:cosent',
    'angle': 'similarity:angle',
    'entity_recovery': 'classification:entity_recovery',
    'margin_ranking': 'knowledge_graph:margin_ranking',
    'self_adversarial': 'knowledge_graph:self_adversarial',
    'square_norm': 'knowledge_graph:square_norm',
    'sgns': 'word2vec:sgns',
    'cbow': 'word2vec:cbow',
    'position_weighted_cbow': 'word2vec:position_weighted_cbow',
    'hierarchical_softmax': 'word2vec:hierarchical_softmax',
    'taco': 'control:taco',
    'reward_error': 'control:reward_error',
    'allo': 'control:allo',
    'graph_drawing': 'control:graph_drawing',
    'spr': 'control:spr',
    'self_predictive': 'control:self_predictive',
    'musik': 'control:musik',
    'act_jepa': 'control:act_jepa',
    'dynamo': 'control:dynamo',
    'double_dqn': 'control:double_dqn',
    'denoising_mse': 'diffusion:denoising_mse',
    'gaussian_kl': 'diffusion:gaussian_kl',
    'categorical_kl': 'diffusion:categorical_kl',
    'mmd': 'diffusion:mmd',
    'conditional_mmd': 'discrepancy:conditional_mmd',
    'rank_penalty': 'spectrum:rank_penalty',
    'umd': 'diffusion:umd',
    'kl_logits': 'distillation:kl_logits',
    'ranking_distillation': 'distillation:ranking_distillation',
    'token_alignment': 'distillation:token_alignment',
    'wcord_global': 'distillation:wcord_global',
    'wcord_scores': 'distillation:wcord_scores',
    'wcord_local': 'distillation:wcord_local',
    'matryoshka_2d': 'compound:matryoshka_2d',
    'missing_mmd': 'compound:missing_mmd',
  },
)
PASSES = Table(
  'passes',
  {
    'embed': 'views:embed',
    'encode': 'views:encode',
    'apply': 'views:apply',
    'cross': 'views:cross',
    'partners': 'views:partners',
    'recall': 'views:recall',
    'gather': 'views:gather',
    'draw': 'views:draw',
    'place': 'places:place',
    'mean_token': 'places:mean_token',
    'sample': 'views:sample',
    'hide': 'views:hide',
    'masked_encode': 'masked:masked_encode',
    'masked_and_noised': 'masked:masked_and_noised',
    'jepa': 'masked:jepa',
    'masked_lm': 'text:masked_lm',
    'replace_tokens': 'text:replace_tokens',
    'seq2seq': 'text:seq2seq',
    'causal_lm': 'text:causal_lm',
    'noise': 'noise:noise',
    'gaussian': 'noise:gaussian',
    'gumbel': 'noise:gumbel',
    'trajectory': 'control:trajectory',
    'latent_rollout': 'control:latent_rollout',
    'q_values': 'control:q_values',
    'lookup': 'lookup:lookup',
    'triples': 'lookup:triples',
    'nearest': 'views:nearest',
    'mixed': 'mixed:mixed',
  },
)
# Metrics of a batch for the log.
METRICS = Table(
  'metrics',
  {
    'token_accuracy': 'training:token_accuracy',
    'pair_accuracy': 'training:pair_accuracy',
    'pair_margin': 'training:pair_margin',
    'diagonal_top1': 'training:diagonal_top1',
    'share': 'training:share',
    'mean_value': 'training:mean_value',
  },
)
REFRESHES = Table(
  'parts',
  {
    'clusters': 'refreshes:clusters',
    'cluster_batches': 'refreshes:cluster_batches',
    'hard_negatives': 'refreshes:hard_negatives',
  },
)
TEACHERS = Table(
  'parts',
  {
    'ema': 'teachers:ema',
    'frozen': 'teachers:frozen',
    'periodic': 'teachers:periodic',
    'copy': 'teachers:copy',
  },
)
# Environments of policies.
ENVIRONMENTS = Table(
  'envs',
  {
    'four_rooms': 'environments:four_rooms',
    'point_mass': 'environments:point_mass',
    'combination_lock': 'environments:combination_lock',
  },
)
MEMORIES = Table(
  'parts',
  {
    'queue': 'memories:queue',
    'centre': 'memories:centre',
    'duals': 'memories:duals',
    'multipliers': 'memories:multipliers',
    'rows': 'memories:rows',
    'centroids': 'memories:centroids',
  },
)
GUARDS = Table(
  'parts',
  {
    'stop': 'guards:stop',
    'skip': 'guards:skip',
    'roll_back': 'guards:roll_back',
  },
)
SCHEDULES = Table(
  'parts',
  {
    'constant': 'schedules:constant',
    'linear': 'schedules:linear',
    'cosine': 'schedules:cosine',
    'linear_decay': 'schedules:linear_decay',
    'rsqrt': 'schedules:rsqrt',
    'steps': 'schedules:steps',
    'rise': 'schedules:rise',
    'switch': 'schedules:switch',
  },
)
OPTIMIZERS = Table(
  'parts',
  {
    'adamw': 'optimizers:adamw',
    'sgd': 'optimizers:sgd',
    'lars': 'optimizers:lars',
    'lamb': 'optimizers:lamb',
    'adagrad': 'optimizers:adagrad',
  },
)
# Weights of the two values of a partly missing nuisance variable.
ESTIMATORS = Table(
  'objectives',
  {
    'observed_only': 'discrepancy:observed_only',
    'inverse_propensity': 'discrepancy:inverse_propensity',
    'imputed': 'discrepancy:imputed',
    'doubly_robust': 'discrepancy:doubly_robust',
  },
)
# A teacher's probabilities over prototypes by objective, for the health panel.
ASSIGNMENTS = Table(
  'objectives',
  {
    'dino': 'clustering:dino_teacher',
    'swav': 'clustering:sinkhorn',
  },
)
TRANSFORMS = Table(
  'transforms',
  {
    'standardize': 'whiten:standardize',
    'pca_whiten': 'whiten:pca_whiten',
    'zca_whiten': 'whiten:zca_whiten',
    'all_but_the_top': 'whiten:all_but_the_top',
    'inlp': 'nullspace:inlp',
    'leace': 'nullspace:leace',
    'random_directions': 'nullspace:random_directions',
    'retrofit': 'retrofit:retrofit',
    'retrofit_random': 'retrofit:retrofit_random',
    'lat': 'steer:lat',
    'mean_difference': 'steer:mean_difference',
    'logistic_direction': 'steer:logistic_direction',
    'random_direction': 'steer:random_direction',
    'corpus_context': 'corpus:corpus_context',
  },
)
EVALUATORS = Table(
  'evaluators',
  {
    'knn': 'general.knn:neighbour_vote',
    'logistic': 'general.logistic:logistic',
    'linear': 'general.linear:linear',
    'attentive': 'general.attentive:attentive',
    'cells': 'general.dense:cells',
    'correspondence': 'general.dense:correspondence',
    'fewshot': 'general.probe:fewshot',
    'finetune': 'general.finetune:finetune',
    'panel': 'general.panel:panel',
    'clustering': 'general.clustering:clustering',
    'link_prediction': 'graph.link_prediction:link_prediction',
    'retrieval': 'retrieval.retrieval:retrieval',
    'word_similarity': 'words.word_similarity:word_similarity',
    'sts': 'text.sts:sts',
    'retrofitted': 'words.retrofitted:retrofitted',
    'erasure': 'interpretability.erasure:erasure',
    'sts_layer': 'text.sts:sts_layer',
    'token_rank': 'interpretability.token_rank:token_rank',
    'fill_masked': 'text.generation:fill_masked',
    'greedy_decode': 'text.generation:greedy_decode',
    'masked_tokens': 'text.language_models:masked_tokens',
    'next_tokens': 'text.language_models:next_tokens',
    'summaries': 'text.summaries:summaries',
    'cell_filling': 'tables.cell_filling:cell_filling',
    'late_retrieval': 'retrieval.late_retrieval:late_retrieval',
    'image_text_retrieval': 'retrieval.image_text:image_text_retrieval',
    'zero_shot': 'retrieval.image_text:zero_shot',
    'sparse': 'interpretability.layers_and_neurons:sparse',
    'random_neurons': 'interpretability.layers_and_neurons:random_neurons',
    'description_length': 'interpretability.layers_and_neurons:description_length',
    'mixing_weights': 'interpretability.layers_and_neurons:mixing_weights',
    'reading': 'interpretability.directions:reading',
    'steering': 'interpretability.directions:steering',
    'verification': 'general.verification:verification',
    'classify': 'general.uncertainty:classify',
    'ood': 'general.uncertainty:ood',
    'class_consistency': 'general.geometry:class_consistency',
    'equivariance': 'general.geometry:equivariance',
    'modality_completion': 'general.geometry:modality_completion',
    'disentanglement': 'general.disentanglement:disentanglement',
    'pair_rewards': 'preference.preference:pair_rewards',
    'pair_likelihoods': 'preference.preference:pair_likelihoods',
    'answers': 'preference.preference:answers',
    'partial_reward': 'preference.preference:partial_reward',
    'regression': 'general.regression:regression',
    'labelled_regression': 'general.regression:labelled_regression',
    'cloning': 'control.control:cloning',
    'control': 'control.control:control',
    'chunk_control': 'control.control:chunk_control',
    'laplacian': 'control.laplacian:laplacian',
  },
  wrap='protocols:as_protocol',
)
TABLES = {
  'models': MODELS,
  'views': VIEWS,
  'samplers': SAMPLERS,
  'masks': MASKS,
  'token_masks': TOKEN_MASKS,
  'step_masks': STEP_MASKS,
  'noise': NOISE,
  'negatives': NEGATIVES,
  'data': DATA,
  'objectives': OBJECTIVES,
  'passes': PASSES,
  'metrics': METRICS,
  'refreshes': REFRESHES,
  'teachers': TEACHERS,
  'environments': ENVIRONMENTS,
  'memories': MEMORIES,
  'guards': GUARDS,
  'schedules': SCHEDULES,
  'optimizers': OPTIMIZERS,
  'estimators': ESTIMATORS,
  'assignments': ASSIGNMENTS,
  'transforms': TRANSFORMS,
  'evaluators': EVALUATORS,
}
# Former names, for error messages; removed at 1.0.
RENAMED = {
  ('objectives', 'sig_lip'): 'siglip',
  ('objectives', 'align'): 'alignment',
  ('objectives', 'uniform'): 'uniformity',
  ('objectives', 'spectral'): 'spectral_contrastive',
  ('objectives', 'decoupled'): 'dcl',
  ('objectives', 'softmax_cross_entropy'): 'cross_entropy',
  ('views', 'twice'): 'duplicate',
  ('views', 'beside'): 'with_columns',
  ('views', 'shared'): 'grouped',
  ('views', 'draw'): 'sample_items',
  ('views', 'gapped'): 'gapped_patches',
  ('samplers', 'surrounded'): 'cbow_context',
  ('samplers', 'tree_path'): 'huffman_path',
  ('samplers', 'tree_path_from_one'): 'huffman_path_from_one',
  ('evaluators', 'filled'): 'fill_masked',
  ('evaluators', 'continued'): 'greedy_decode',
  ('evaluators', 'outside'): 'ood',
  ('evaluators', 'links'): 'link_prediction',
  ('evaluators', 'prediction'): 'classify',
  ('evaluators', 'words'): 'word_similarity',
  ('evaluators', 'guarded'): 'erasure',
  ('evaluators', 'rotation'): 'equivariance',
  ('evaluators', 'completion'): 'modality_completion',
  ('evaluators', 'dimensions'): 'class_consistency',
  ('evaluators', 'half_way'): 'partial_reward',
  ('models', 'reporter'): 'masked_text_decoder',
  ('models', 'joined'): 'state_action_mlp',
  ('models', 'chunk'): 'action_decoder',
  ('models', 'timeline'): 'window_transformer',
  ('models', 'action_code'): 'action_embedding',
}
