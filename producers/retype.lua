-- Looks for keys of ours that hold another type than they should, and with ARGV[1] 'mend' removes what stands there:
-- every command on it would fail for ever. KEYS: the keys. ARGV: 'look' or 'mend', then the type of each
-- returns key and the type found, key and type, ...
local found = {}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= ARGV[i + 1] then
    if ARGV[1] == 'mend' then redis.call('UNLINK', key) end
    found[#found + 1] = key
    found[#found + 1] = kind
  end
end
return found
