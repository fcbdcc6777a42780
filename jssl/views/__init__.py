"""Views: what a pass draws from a batch, on the device, inside the jitted step."""

from jssl.views.image import augment as augment
from jssl.views.image import beit_block_mask as beit_block_mask
from jssl.views.image import block_mask as block_mask
from jssl.views.image import plain as plain
from jssl.views.image import random_mask as random_mask
