"""
A training loop of your own
===========================

The windows of a record as a torch Dataset, a small network and ten lines of training. The forecasts go back onto the
days that they are for, and are scored beside persistence, which so little training does not beat. Where only the
network is yours, `fit_resattcaurec(network=...)` is shorter.
"""

# %%
# US-AR1, a grassland in Oklahoma. A window holds 15 days of drivers; its target is soil moisture seven days later.

import torch
from torch.utils.data import DataLoader, Subset

import xdrought
from xdrought.data import open_dataset
from xdrought.plot import plot_forecast
from xdrought.splits import chronological

tower = open_dataset("us-ar1")
drivers = ["TA_F", "VPD_F", "P_F", "SW_IN_F", "soil_temperature"]
windows = tower.xdrought.patches("soil_moisture", drivers=drivers)
dataset = windows.to_torch()
print(isinstance(dataset, torch.utils.data.Dataset), len(dataset), [tuple(one.shape) for one in dataset[0]])

# %%
# The first 70 % of the days train, the last 15 % test. Around the borders as many days are left out as a window and its
# lead span, so that no day is seen by two parts.

splits = chronological(windows)
parts = {name: splits.windows(windows, name) for name in ("train", "val", "test")}
{name: len(index) for name, index in parts.items()}

# %%
# Mean and spread come from training days only. Item i of the dataset is a window and its target; many windows at once
# are `dataset.gather(index)`.

inputs = dataset.gather(torch.as_tensor(parts["train"]))  # (N, window, driver, 1, 1)
mean, std = inputs.mean((0, 1), keepdim=True), inputs.std((0, 1), keepdim=True)
soil = dataset.target[torch.as_tensor(parts["train"])]

# %%
# The loop.


class Daily(torch.nn.Module):
    """An LSTM over the days of a window."""

    def __init__(self):
        super().__init__()
        self.days, self.head = torch.nn.LSTM(len(drivers), 16, batch_first=True), torch.nn.Linear(16, 1)

    def forward(self, x):
        scaled = ((x - mean) / std).flatten(2)  # (N, window, driver)
        return self.head(self.days(scaled)[0][:, -1])[:, 0] * soil.std() + soil.mean()


torch.manual_seed(0)
network = Daily()
optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
loader = DataLoader(Subset(dataset, parts["train"].tolist()), batch_size=64, shuffle=True)
for epoch in range(8):
    total = 0.0
    for x, y in loader:
        loss = (network(x) - y).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(y)
    print(f"epoch {epoch}: {total / len(parts['train']):.2f}")

# %%
# One number for each window becomes a labelled forecast by valid time, with the days of issue that scores need.

with torch.no_grad():
    values = network(dataset.gather(torch.arange(len(dataset)))).numpy()
forecast = windows.to_labels(values).rename("soil_moisture").assign_attrs(tower.soil_moisture.attrs)
tested = forecast.where(splits.mask("test", forecast.time))
scores = xdrought.verify(tested, tower.soil_moisture, lead=windows.lead, n_boot=200)
print(xdrought.to_table(scores, names=["rmse", "nse"]))

# %%
# The test days, beside what the tower saw.

plot_forecast(tested.dropna("time"), tower.soil_moisture)
