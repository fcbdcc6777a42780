"""Views: inputs that a pass draws from a batch, on the device, inside the jitted step."""

from jssl.views.image import augment, plain
