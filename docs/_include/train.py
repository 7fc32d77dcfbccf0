"""Train a network on several processes: torchrun --standalone --nproc-per-node 2 train.py"""

import torch.distributed as dist

import xdrought
from xdrought.data import open_dataset

ds = open_dataset("twin")  # simulated; your own sites here
forecaster = xdrought.fit_resattcaurec(
    ds, "soil_moisture", sampler="consecutive", epochs=2, widths=(4, 8), batch_size=256, checkpoint="soil.ckpt"
)
if not dist.is_initialized() or dist.get_rank() == 0:
    forecaster.save("soil.xdrought")
