"""The depthwise convolution against F.conv2d in float64."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segnext.kernels import depthwise
from segnext.kernels.depthwise import depthwise_conv2d

KERNELS = [(5, 5), (1, 7), (7, 1), (1, 21), (21, 1), (3, 3)]
SHAPES = [(1, 5, 9, 13), (3, 16, 20, 17), (2, 3, 1, 1), (1, 8, 2, 30)]  # smaller than the kernels, larger than ROWS


@pytest.fixture
def kernel_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how often the compiled backward pass is taken."""
    calls: list[int] = []
    as_array = depthwise._as_array

    def counted(x: Tensor) -> Any:
        calls.append(1)
        return as_array(x)

    monkeypatch.setattr(depthwise, "_as_array", counted)
    return calls


@pytest.fixture
def restored_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def sample(shape: tuple[int, int, int, int], kernel: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x, weight, bias and the gradient of the output, float64 with values that bfloat16 holds."""
    generator = torch.Generator().manual_seed(0)
    shapes = [shape, (shape[1], 1, *kernel), (shape[1],), shape]
    x, weight, bias, grad = (torch.randn(s, generator=generator).bfloat16().double() for s in shapes)
    return x, weight, bias, grad


def run(
    inputs: tuple[Tensor, ...], dtype: torch.dtype, memory_format: torch.memory_format, plain: bool = False
) -> list[Tensor]:
    """Output and the gradients of x, weight and bias."""
    x, weight, bias, grad = (tensor.to(dtype, copy=True) for tensor in inputs)
    x = x.contiguous(memory_format=memory_format).requires_grad_()
    weight.requires_grad_()
    bias.requires_grad_()
    if plain:
        kh, kw = weight.shape[2:]
        out = F.conv2d(x, weight, bias, padding=(kh // 2, kw // 2), groups=x.shape[1])
    else:
        out = depthwise_conv2d(x, weight, bias)
    out.backward(grad)  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert weight.grad is not None
    assert bias.grad is not None
    return [out.detach(), x.grad, weight.grad, bias.grad]


def error(found: Tensor, exact: Tensor) -> float:
    """Largest deviation, relative to the largest exact value."""
    return ((found.double() - exact).abs().max() / exact.abs().max()).item()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shape", SHAPES)
def test_float32_result_and_gradients(
    kernel: tuple[int, int], shape: tuple[int, int, int, int], kernel_calls: list[int]
) -> None:
    inputs = sample(shape, kernel)
    exact = run(inputs, torch.float64, torch.contiguous_format, plain=True)
    found = run(inputs, torch.float32, torch.channels_last)
    assert kernel_calls
    assert [tensor.shape for tensor in found] == [tensor.shape for tensor in exact]
    assert [error(*pair) for pair in zip(found, exact, strict=True)] == pytest.approx([0.0] * 4, abs=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shape", SHAPES[:2])
def test_bfloat16_is_no_worse_than_torch(
    kernel: tuple[int, int], shape: tuple[int, int, int, int], kernel_calls: list[int]
) -> None:
    inputs = sample(shape, kernel)
    exact = run(inputs, torch.float64, torch.contiguous_format, plain=True)
    found = run(inputs, torch.bfloat16, torch.channels_last)
    assert kernel_calls
    theirs = run(inputs, torch.bfloat16, torch.channels_last, plain=True)
    for ours, torchs, truth in zip(found, theirs, exact, strict=True):
        assert ours.dtype == torch.bfloat16
        assert error(ours, truth) <= max(1.5 * error(torchs, truth), 2**-8)


def test_weight_gradient_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0, 3.0]], [[1.0, 1.0, 1.0]]]]).contiguous(memory_format=torch.channels_last)
    weight = torch.zeros(2, 1, 1, 3, requires_grad=True)
    out = depthwise_conv2d(x, weight, torch.zeros(2))
    out.backward(torch.tensor([[[[1.0, 10.0, 100.0]], [[1.0, 1.0, 1.0]]]]))  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert weight.grad.tolist() == [[[[210.0, 321.0, 32.0]]], [[[2.0, 3.0, 2.0]]]]


def test_contiguous_and_double_inputs_are_left_to_torch(kernel_calls: list[int]) -> None:
    inputs = sample((2, 8, 6, 7), (5, 5))
    for dtype, memory_format in (
        (torch.float32, torch.contiguous_format),
        (torch.float64, torch.channels_last),
    ):
        found = run(inputs, dtype, memory_format)
        plain = run(inputs, dtype, memory_format, plain=True)
        assert all(torch.equal(*pair) for pair in zip(found, plain, strict=True))
    assert kernel_calls == []


def test_without_gradients_it_is_torchs(kernel_calls: list[int]) -> None:
    x, weight, bias, _ = (tensor.float() for tensor in sample((2, 8, 6, 7), (1, 7)))
    x = x.contiguous(memory_format=torch.channels_last)
    plain = F.conv2d(x, weight, bias, padding=(0, 3), groups=8)
    assert torch.equal(depthwise_conv2d(x, weight, bias), plain)
    with torch.no_grad():
        assert torch.equal(depthwise_conv2d(x, weight.requires_grad_(), bias), plain)
    assert kernel_calls == []


def test_a_frozen_input_needs_no_gradient(kernel_calls: list[int]) -> None:
    x, weight, bias, grad = (tensor.float() for tensor in sample((2, 8, 6, 7), (3, 3)))
    weight.requires_grad_()
    out = depthwise_conv2d(x.contiguous(memory_format=torch.channels_last), weight, bias)
    out.backward(grad)  # type: ignore[no-untyped-call]
    assert kernel_calls
    assert x.grad is None
    assert bias.grad is None
    assert weight.grad is not None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_computes_in_its_type_and_keeps_float32_parameters(dtype: torch.dtype) -> None:
    inputs = sample((2, 8, 9, 11), (1, 7))
    exact = run(inputs, torch.float64, torch.contiguous_format, plain=True)
    x, weight, bias, grad = (tensor.float() for tensor in inputs)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    weight.requires_grad_()
    bias.requires_grad_()
    with torch.autocast("cpu", dtype):
        out = depthwise_conv2d(x, weight, bias)
    out.backward(grad.to(dtype))  # type: ignore[no-untyped-call]
    assert out.dtype == dtype
    assert x.grad is not None
    assert weight.grad is not None
    assert bias.grad is not None
    for tensor, truth in zip((x.grad, weight.grad, bias.grad), exact[1:], strict=True):
        assert tensor.dtype == torch.float32
        assert error(tensor, truth) < 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.usefixtures("restored_threads")
def test_weight_gradient_has_the_same_bits_for_any_number_of_threads(dtype: torch.dtype) -> None:
    inputs = sample((3, 8, 37, 19), (7, 1))
    gradients = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        gradients.append(run(inputs, dtype, torch.channels_last)[2])
    assert torch.equal(gradients[0], gradients[1])
    assert torch.equal(gradients[0], gradients[2])


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_dilation_is_torchs_own(memory_format: torch.memory_format, kernel_calls: list[int]) -> None:
    x, weight, bias, grad = (t.float() for t in sample((2, 8, 9, 13), (7, 7)))
    x = x.contiguous(memory_format=memory_format)
    weight.requires_grad_()
    out = depthwise_conv2d(x, weight, bias, dilation=3)
    expected = F.conv2d(x, weight, bias, padding=9, dilation=3, groups=8)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(torch.autograd.grad(out, weight, grad), torch.autograd.grad(expected, weight, grad))
    assert not kernel_calls
