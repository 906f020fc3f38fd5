%% Evaluated by on_node: [Node, Module, Function | Arguments] -> prints what the call returns, halts with 0 or 1.
Say = fun(Device, Format, Things) -> io:format(Device, Format ++ "~n", Things) end,
[Node, Module, Function | Arguments] = init:get_plain_arguments(),
Last = [Value || Value <- [os:getenv("SUP_LAST_ARGUMENT")], Value =/= false],
Binaries = [unicode:characters_to_binary(Argument) || Argument <- Arguments ++ Last],
case rpc:call(list_to_atom(Node), list_to_atom(Module), list_to_atom(Function), Binaries) of
    {badrpc, nodedown} ->
        Say(standard_error, "No answer from ~s: it is not running, still starting, or has another cookie.", [Node]),
        halt(1);
    {badrpc, {'EXIT', {undef, _}}} ->
        Say(standard_error, "Invalid command or wrong number of arguments: ~s ~s with ~b arguments", [Module, Function, length(Binaries)]),
        halt(1);
    {badrpc, Reason} ->
        Say(standard_error, "Command failed: ~p", [Reason]),
        halt(1);
    no_return ->
        halt(0);
    Result ->
        Say(standard_io, "~tp", [Result]),
        halt(0)
end.
