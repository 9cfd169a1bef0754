"""The ablation table: each network trained with one budget, then measured, tabulated and drawn."""
