"""What other programs call things, and what they are called here."""

# What it is here, and its names elsewhere.
_OF_RUNS = {
    "--iterations, which counts steps: an epoch has as many as there are train pictures / --batch-size": (
        "epochs max_epochs num_epochs n_epochs"
    ),
    "--iterations": "steps max_steps num_steps max_iters max_iter num_iters total_steps total_iters",
    "--crop '[256,256]', the size of what is trained on, or --short-side": (
        "imgsz img_size image_size input_size crop_size patch_size resolution"
    ),
    "--batch-size": "batch bs samples_per_gpu imgs_per_gpu batch_size_per_gpu train_batch_size",
    "--optimizer.lr": "lr learning_rate lr0 base_lr",
    "--optimizer.weight-decay": "wd weight_decay",
    "--optimizer.betas; the optimiser is AdamW": "momentum beta1 beta2",
    "--encoder-weights, for the encoder, or --from, for all of it": (
        "pretrained pretrain weights checkpoint ckpt load_from"
    ),
    "--out, the run's folder": "name project save_dir output output_dir work_dir log_dir logdir save_path",
    "--out; a run is gone on with by --resume, and never written over": "exist_ok overwrite force",
    "--data": "dataset data_dir data_root data_path dataset_dir root",
    "--model": "arch architecture_name backbone encoder_name network net model_name",
    "--precision": "amp fp16 half bf16 mixed_precision",
    "--workers": "num_workers n_workers jobs threads",
    "--device; several by torchrun --nproc_per_node": "gpu gpus num_gpus gpu_ids cuda",
    "--eval-every": "val_interval eval_interval val_every val_freq eval_freq check_val_every_n_epoch",
    "--save-every": "checkpoint_interval save_interval save_freq",
    "--schedule": "scheduler lr_scheduler lr_policy",
    "--augment.turn": "rotate rotation degrees random_rotate random_rotate90 rot90 vflip flipud vertical_flip",
    "--augment.flip": "hflip fliplr horizontal_flip",
    "--patience": "early_stopping early_stop",
    "--track wandb": "wandb use_wandb",
    "--from, and the classes in dataset.yaml": "num_classes classes n_classes nc",
}
_OF_COMMANDS = {
    "--weights": "model checkpoint ckpt load_from model_path pretrained",
    "--out": "output output_dir save_dir out_dir o save_path results",
    "--data": "dataset data_dir data_root data_path d",
    "--short-side": "imgsz img_size image_size input_size resize_to",
    "--slide": "window tile tile_size patch_size sliding_window",
    "--precision": "amp fp16 half bf16",
    "--engine": "backend runtime provider",
    "--device": "gpu gpus cuda",
    "--threshold": "conf thres conf_thres score_thr",
    "--tta": "augment multi_scale ms aug_test",
    "--format": "save_txt to output_format",
    "--to": "format target",
}
RUNS = {name: here for here, names in _OF_RUNS.items() for name in names.split()}
COMMANDS = {name: here for here, names in _OF_COMMANDS.items() for name in names.split()}
# Flags of others that need none here.
_PATHS = "source input inputs image images img i path folder file"
WITHOUT = {
    **dict.fromkeys(_PATHS.split(), "give it without a flag"),
    **dict.fromkeys(
        ["batch", "batch_size", "bs", "workers", "num_workers"], "pictures are worked on one by one, on all cores"
    ),
}
