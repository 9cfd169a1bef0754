"""Networks side by side: trained on the same data with the same budget, measured, tested, tabulated and drawn."""
