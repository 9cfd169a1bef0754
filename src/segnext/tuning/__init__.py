"""Hyper-parameters by Optuna: a space of settings, a study of trials, each a training run, and a page of them."""
