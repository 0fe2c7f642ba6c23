-- Looks for keys of ours that hold another type than they should, and with ARGV[1] 'mend' puts aside what stands there:
-- every command on it would fail for ever. KEYS: the keys. ARGV: 'look' or 'mend', for how many ms it is kept, under what
-- prefix, then the type of each
-- returns key and the type found, key and type, ...
local found = {}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= ARGV[i + 3] then
    if ARGV[1] == 'mend' then
      redis.call('RENAME', key, ARGV[3] .. key)
      redis.call('PEXPIRE', ARGV[3] .. key, ARGV[2])
    end
    found[#found + 1] = key
    found[#found + 1] = kind
  end
end
return found
